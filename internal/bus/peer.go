package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
	kept      budget // of what waits behind its subscriptions
	unacked   budget // of what it was handed and has not acknowledged
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
		_ = p.conn.SetReadDeadline(time.Unix(1, 0))
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
	case err != nil && !p.stopping.Load() && !errors.Is(err, io.EOF):
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
	_ = p.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, p.conn, 16<<20)
}

// patientReader reads from the client under the deadline that heart-beats set.
type patientReader struct{ p *peer }

func (r patientReader) Read(b []byte) (int, error) {
	p := r.p
	if p.beats.in > 0 {
		_ = p.conn.SetReadDeadline(time.Now().Add(p.beats.in))
	}
	if p.stopping.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	return p.conn.Read(b)
}
