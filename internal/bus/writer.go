package bus

import (
	"bufio"
	"net"
	"time"
)

// write writes the outbox until it ends, and heart-beats in between.
func (p *peer) write() {
	w := bufio.NewWriter(deadlineWriter{p.conn, p.broker.limits.Write})
	var tick <-chan time.Time
	if p.beats.out > 0 {
		t := time.NewTicker(p.beats.out * 3 / 4)
		defer t.Stop()
		tick = t.C
	}
	var spare, items []outgoing
	head := make([]byte, 0, 256)
	for {
		var ended bool
		items, ended = p.out.take(spare)
		if err := p.writeAll(w, items, head); err != nil {
			p.drop("it could not be written to: " + err.Error())
			return
		}
		if len(items) == 0 && ended {
			return
		}
		if len(items) == 0 {
			select {
			case <-p.out.wake:
			case <-tick:
				_ = w.WriteByte('\n')
				if err := w.Flush(); err != nil {
					p.drop("it could not be written to: " + err.Error())
					return
				}
			}
		}
		clear(items)
		spare = items
		if cap(spare) > 1024 {
			spare = nil // what one burst needed is not kept for ever
		}
	}
}

// writeAll writes items, with head to build the small parts in. The writer keeps
// its first error until Flush.
func (p *peer) writeAll(w *bufio.Writer, items []outgoing, head []byte) error {
	for _, item := range items {
		switch {
		case item.frame != nil:
			_, _ = w.Write(appendFrame(head[:0], item.frame, p.version))
		case item.to.ack == ackAuto && item.message.expired(p.broker.Now()):
			// It waited too long.
		default:
			_, _ = w.Write(item.appendHead(head[:0], p.version))
			_, _ = w.Write(item.message.shared(p.version))
			_, _ = w.Write(item.message.body)
			_ = w.WriteByte(0)
		}
		p.out.finished(item)
	}
	return w.Flush()
}

// deadlineWriter gives every piece of 64 KiB the same time.
type deadlineWriter struct {
	net.Conn
	timeout time.Duration
}

func (w deadlineWriter) Write(b []byte) (written int, err error) {
	for written < len(b) && err == nil {
		var n int
		_ = w.SetWriteDeadline(time.Now().Add(w.timeout))
		n, err = w.Conn.Write(b[written:min(len(b), written+64<<10)])
		written += n
	}
	return written, err
}
