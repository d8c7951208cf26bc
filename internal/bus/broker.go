package bus

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Credentials are what a client shows when it connects.
type Credentials struct {
	Login, Passcode string
	Certificate     *x509.Certificate // its TLS certificate, verified; nil without one
	Remote          net.Addr
}

// Broker is a STOMP broker for versions 1.0 to 1.2 that keeps everything in
// memory. It answers to RabbitMQ's and to ActiveMQ's names for destinations;
// exchanges, topics and queues come into being when they are first used.
//
// A client that does not read is dropped once its queue is full, and costs
// nobody else anything. The fields are not to be changed once Serve runs.
type Broker struct {
	// Authenticate says who somebody is, or refuses with an error, which is
	// logged and not told. Nil refuses everybody.
	Authenticate func(Credentials) (Principal, error)

	Limits    Limits
	HeartBeat time.Duration    // offered and asked for, 0: 10 s
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil means slog.Default()

	setUp    sync.Once
	limits   Limits
	router   *router
	clients  atomic.Int64
	sessions atomic.Uint64
}

func (b *Broker) prepare() {
	b.setUp.Do(func() {
		b.limits = b.Limits.withDefaults()
		b.router = newRouter(b.limits)
		b.HeartBeat = cmp.Or(b.HeartBeat, 10*time.Second)
		if b.Now == nil {
			b.Now = time.Now
		}
		if b.Log == nil {
			b.Log = slog.Default()
		}
	})
}

// Serve accepts clients from l, a TLS listener for TLS, until ctx is done: then
// it closes l, gives every client what is queued for it, waits for all of them
// and returns nil. A failing listener ends it in the same way with an error.
// It may be called for several listeners at once, and again after it returned:
// the queues are still there.
func (b *Broker) Serve(ctx context.Context, l net.Listener) error {
	b.prepare()
	ctx, cancel := context.WithCancel(ctx)
	var peers, reading sync.WaitGroup
	defer peers.Wait()
	reading.Add(1) // by accepting
	defer reading.Done()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()

	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of file descriptors, most likely: others may leave.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			b.Log.Warn("cannot accept a client", "error", err)
			sleep(ctx, pause)
			continue
		}
		if b.clients.Add(1) > int64(b.limits.Clients) {
			b.clients.Add(-1)
			b.Log.Warn("too many clients: one was turned away", "remote", conn.RemoteAddr(), "limit", b.limits.Clients)
			conn.Close()
			continue
		}
		reading.Add(1)
		peers.Go(func() {
			defer b.clients.Add(-1)
			newPeer(b, conn).serve(ctx, &reading)
		})
	}
}

// sleep waits for d, or less if ctx is done before.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
