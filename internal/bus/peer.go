package bus

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// peer is one client of the broker, from accept to close. Its reader is the
// goroutine that runs serve; its writer runs beside it.
type peer struct {
	broker    *Broker
	conn      net.Conn
	out       *bounded[outgoing]
	session   string
	version   version
	principal Principal
	beats     beats

	subscriptions map[string]*subscription // by key; the reader's
	temps         map[string]*subscription // private queues by reply-to; the reader's
	numbered      uint64                   // subscriptions so far

	stopping atomic.Bool // the broker is
	dropped  sync.Once
	reason   atomic.Pointer[string] // why it was dropped
}

func newPeer(b *Broker, conn net.Conn) *peer {
	return &peer{
		broker: b, conn: conn,
		session:       fmt.Sprintf("s%d", b.sessions.Add(1)),
		subscriptions: map[string]*subscription{}, temps: map[string]*subscription{},
	}
}

// drop ends the connection at once; what is queued is lost.
func (p *peer) drop(reason string) {
	p.dropped.Do(func() {
		p.reason.Store(&reason)
		// Closing TLS first says so to the other side, which may not be reading.
		conn := p.conn
		if t, ok := conn.(*tls.Conn); ok {
			conn = t.NetConn()
		}
		conn.Close()
	})
}

func (p *peer) overflow() { p.drop("it does not read fast enough: its queue is full") }

// put queues something for the client, or drops a client whose queue is full.
func (p *peer) put(item outgoing) {
	if !p.out.add(item) {
		p.overflow()
	}
}

// grace is how long a client has to take what is queued when the broker stops.
const grace = 2 * time.Second

// serve lives as long as the client. The reading group is left once nothing
// more is read from it.
func (p *peer) serve(ctx context.Context, reading *sync.WaitGroup) {
	defer p.drop("it left")
	readNoMore := sync.OnceFunc(reading.Done)
	defer readNoMore()
	stop := context.AfterFunc(ctx, func() {
		p.stopping.Store(true)
		p.conn.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()

	in := newFrameReader(patientReader{p}, p.broker.limits.BeforeLogin, v10)
	if err := p.login(ctx, in); err != nil {
		p.broker.Log.Warn("a client did not log in", "remote", p.conn.RemoteAddr(), "error", err)
		return
	}
	p.broker.Log.Debug("a client logged in", "remote", p.conn.RemoteAddr(), "role", p.principal.Role, "name", p.principal.Name)

	var writer sync.WaitGroup
	writer.Go(p.write)
	err := p.read(in)
	readNoMore()
	if ctx.Err() != nil {
		// What others have sent until now has a receipt, and is still handed out.
		reading.Wait()
		killed := time.AfterFunc(grace, func() { p.drop("the broker stopped") })
		defer killed.Stop()
	}
	p.leave(err)
	writer.Wait()
	p.linger(err)
}

// leave ends the subscriptions and the outbox; the writer still writes what is in it.
func (p *peer) leave(err error) {
	now := p.broker.Now()
	for _, s := range p.subscriptions {
		if p.stopping.Load() && s.queue != nil {
			s.queue.release(s, now)
		}
		p.broker.router.unsubscribe(s, now)
	}
	for _, s := range p.temps {
		p.broker.router.unsubscribe(s, now)
	}
	refusal, ok := errors.AsType[*refusal](err)
	if ok {
		p.out.end(outgoing{frame: refusal.frame()})
	} else {
		p.out.end()
	}
	log := p.broker.Log.With("remote", p.conn.RemoteAddr(), "role", p.principal.Role, "name", p.principal.Name)
	switch reason := p.reason.Load(); {
	case reason != nil:
		log.Warn("a client was dropped", "reason", *reason)
	case ok:
		log.Warn("a client was refused", "error", err)
	case err != nil && !p.stopping.Load() && err != io.EOF:
		log.Debug("a client's connection broke", "error", err)
	}
}

// refusal is an ERROR frame to be: the client did something that ends its connection.
type refusal struct {
	message string // short, for the message header
	detail  string // for the body
	receipt string // of the frame that caused it
}

func (r *refusal) Error() string { return r.message + ": " + r.detail }

func (r *refusal) frame() *frame.Frame {
	f := frame.New(frame.ERROR, frame.Message, r.message, frame.ContentType, "text/plain")
	if r.receipt != "" {
		f.Header.Add(frame.ReceiptId, r.receipt)
	}
	f.Body = []byte(r.detail + "\n")
	return f
}

// linger lets a client that is still sending read what it was told last, such
// as why it was refused: closing with its bytes unread would reset the
// connection and lose that.
func (p *peer) linger(err error) {
	if _, ok := errors.AsType[*refusal](err); !ok && !p.stopping.Load() {
		return
	}
	half, ok := p.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	p.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	io.CopyN(io.Discard, p.conn, 16<<20)
}

// patientReader reads from the client under the deadline that heart-beats set.
type patientReader struct{ p *peer }

func (r patientReader) Read(b []byte) (int, error) {
	p := r.p
	if p.beats.in > 0 {
		p.conn.SetReadDeadline(time.Now().Add(p.beats.in))
	}
	if p.stopping.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	return p.conn.Read(b)
}

// beats are the heart-beats agreed on; 0 is none.
type beats struct {
	in  time.Duration // the client is taken for dead after this silence
	out time.Duration // at least one byte is written within this time
}

// agree combines what the client offers, "can,wants" in milliseconds, with ours.
func agree(header string, ours time.Duration) (beats, error) {
	if header == "" {
		return beats{}, nil
	}
	can, wants, err := frame.ParseHeartBeat(header)
	if err != nil {
		return beats{}, errors.New("heart-beat is two numbers of milliseconds")
	}
	var b beats
	if can > 0 {
		// Twice the time, because networks delay.
		b.in = 2 * max(can, ours)
	}
	if wants > 0 {
		b.out = max(wants, ours)
	}
	return b, nil
}

// newestOf returns the newest version that a client and the broker both speak.
func newestOf(accepted string) (version, bool) {
	if accepted == "" {
		return v10, true
	}
	offered := strings.Split(accepted, ",")
	for v := v12; v >= v10; v-- {
		for _, o := range offered {
			if strings.TrimSpace(o) == v.String() {
				return v, true
			}
		}
	}
	return v10, false
}

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
				w.WriteByte('\n')
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

// writeAll writes items, with head to build the small parts in.
func (p *peer) writeAll(w *bufio.Writer, items []outgoing, head []byte) error {
	for _, item := range items {
		switch {
		case item.frame != nil:
			w.Write(appendFrame(head[:0], item.frame, p.version))
		case item.to.ack == ackAuto && item.message.expired(p.broker.Now()):
			// It waited too long.
		default:
			w.Write(item.appendHead(head[:0], p.version))
			w.Write(item.message.shared(p.version))
			w.Write(item.message.body)
			w.WriteByte(0)
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
		w.SetWriteDeadline(time.Now().Add(w.timeout))
		n, err = w.Conn.Write(b[written:min(len(b), written+64<<10)])
		written += n
	}
	return written, err
}
