package bus

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
)

// session is one connection to one broker, logged in.
type session struct {
	conn   *stomp.Conn
	seam   *seam
	broker address
	answer time.Duration // how long the broker has for a receipt
	ids    atomic.Uint64
	drains sync.WaitGroup
}

// dial connects and logs in.
func dial(ctx context.Context, a address, c *Config) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", a.hostPort)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %s", a, reason(err))
	}
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	defer stop()
	conn := tcp
	if a.tls {
		if conn, err = secure(ctx, tcp, a, c.TLS); err != nil {
			return nil, fmt.Errorf("connecting to %s: TLS: %s", a, reason(err))
		}
	}
	seam := newSeam(conn, FrameLimits{Headers: 256, HeaderBytes: 64 << 10, BodyBytes: c.MaxBody}, c.HeartBeat, c.WriteTimeout)
	s := &session{seam: seam, broker: a, answer: c.AnswerTimeout}
	s.conn, err = stomp.ConnectWithContext(ctx, seam, options(a, c)...)
	late := !stop() // then tcp is closed, or about to be
	switch {
	case err == nil && !late:
		return s, nil
	case err == nil:
		s.end()
	default:
		seam.Close()
	}
	if seam.why != nil {
		err = seam.why
	}
	if late {
		err = errors.New("it does not answer in time")
	}
	return nil, fmt.Errorf("logging in to %s as %q: %w", a, cmp.Or(a.login, c.Login), err)
}

func secure(ctx context.Context, conn net.Conn, a address, config *tls.Config) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.ServerName = cmp.Or(config.ServerName, a.host)
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

func options(a address, c *Config) []func(*stomp.Conn) error {
	login, passcode := c.Login, c.Passcode
	if a.login != "" {
		login, passcode = a.login, a.passcode
	}
	return []func(*stomp.Conn) error{
		stomp.ConnOpt.AcceptVersion(stomp.V11, stomp.V12),
		stomp.ConnOpt.Host(cmp.Or(a.vhost, c.Vhost, "/")),
		stomp.ConnOpt.Login(login, passcode),
		stomp.ConnOpt.HeartBeat(c.HeartBeat, 0), // the seam listens
		stomp.ConnOpt.HeartBeatError(c.HeartBeat / 4),
		stomp.ConnOpt.MsgSendTimeout(c.WriteTimeout),
		stomp.ConnOpt.Logger(silent{}),
	}
}

// errEnded is what an operation on a session that had ended before is told:
// whatever ended it was somebody else's doing.
var errEnded = errors.New("the connection had ended")

func (s *session) ended() bool {
	select {
	case <-s.seam.dead:
		return true
	default:
		return false
	}
}

// lost is an operation that the connection did not live to see confirmed.
type lost struct{ why error }

func (l *lost) Error() string { return l.why.Error() }
func (l *lost) Unwrap() error { return l.why }

func isLost(err error) bool {
	_, ok := errors.AsType[*lost](err)
	return ok
}

// publish sends m and waits until the broker has it.
func (s *session) publish(ctx context.Context, m Message) error {
	if s.ended() {
		return &lost{errEnded}
	}
	id, r := s.expect()
	defer s.seam.forget(id)
	header := func(f *frame.Frame) error {
		if m.ReplyTo != "" {
			f.Header.Add(replyToHeader, m.ReplyTo)
		}
		for name, value := range m.Headers {
			f.Header.Add(name, value)
		}
		f.Header.Add(receiptHeader, id)
		return nil
	}
	if err := s.conn.Send(m.Destination, "", m.Body, header); err != nil {
		s.seam.fail(errors.New("the broker takes no more messages"))
	}
	return s.wait(ctx, r)
}

func (s *session) expect() (id string, r *receipt) {
	id, r = "r"+strconv.FormatUint(s.ids.Add(1), 10), newReceipt()
	s.seam.expect(id, r)
	return id, r
}

// wait waits for a receipt, the end of the connection or of ctx. A broker that
// does not answer is left.
func (s *session) wait(ctx context.Context, r *receipt) error {
	late := time.NewTimer(s.answer)
	defer late.Stop()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		s.seam.fail(fmt.Errorf("the broker did not confirm within %s", s.answer))
	case <-s.seam.dead:
	}
	select {
	case err := <-r.done: // it came just before the end
		return err
	default:
		return &lost{s.seam.why}
	}
}

// subscribe makes deliveries flow into sub until the session ends or
// unsubscribe is called with the id that it returns.
func (s *session) subscribe(ctx context.Context, sub *subscriber) (id string, err error) {
	receiptID, r := s.expect()
	defer s.seam.forget(receiptID)
	id = "m" + strconv.FormatUint(s.ids.Add(1), 10)
	header := func(f *frame.Frame) error {
		f.Header.Add(receiptHeader, receiptID)
		if sub.Selector != "" {
			f.Header.Add("selector", sub.Selector)
		}
		if sub.AckEach {
			ahead := strconv.FormatInt(sub.ahead.Load(), 10)
			f.Header.Add("prefetch-count", ahead)
			f.Header.Add("activemq.prefetchSize", ahead)
		}
		return nil
	}
	if err := s.register(sub, id, r, header); err != nil {
		return "", err
	}
	if err := s.wait(ctx, r); err != nil {
		s.unsubscribe(id) // whoever asked has given up
		return "", err
	}
	return id, nil
}

func (s *session) register(sub *subscriber, id string, r *receipt, header func(*frame.Frame) error) error {
	s.seam.registering.RLock()
	defer s.seam.registering.RUnlock()
	if s.ended() {
		return &lost{errEnded}
	}
	mode := stomp.AckAuto
	if sub.AckEach {
		mode = stomp.AckClientIndividual
	}
	incoming, err := s.conn.Subscribe(sub.Destination, mode, stomp.SubscribeOpt.Id(id), header)
	if err != nil {
		why := errors.New("the broker takes no more subscriptions")
		s.seam.fail(why)
		return &lost{why}
	}
	<-r.passed
	s.drains.Go(func() { s.drain(sub, incoming.C) })
	return nil
}

// drain moves deliveries into sub's queue at once: a subscription that is not
// read stops go-stomp's heart-beats and everything else.
func (s *session) drain(sub *subscriber, incoming <-chan *stomp.Message) {
	for m := range incoming {
		if m.Err != nil {
			continue // the connection has ended; the seam knows why
		}
		if !sub.queue.add(s.delivery(m)) {
			sub.ahead.Store(max(1, sub.ahead.Load()/2))
			s.seam.fail(fmt.Errorf("messages from %s came faster than they were dealt with, and %d bytes were waiting", sub.Destination, sub.queue.limit))
		}
	}
}

func (s *session) delivery(m *stomp.Message) Delivery {
	d := Delivery{Message: Message{Destination: m.Destination, Body: m.Body, Headers: map[string]string{}}}
	for i := m.Header.Len() - 1; i >= 0; i-- { // the first of equal names wins
		switch name, value := m.Header.GetAt(i); name {
		case frame.Destination, frame.ContentLength, frame.Subscription, frame.Ack, frame.Receipt:
		case replyToHeader:
			d.ReplyTo = value
		default:
			d.Headers[name] = value
		}
	}
	d.Ack = func() error {
		if s.conn.Ack(m) != nil || s.ended() {
			return fmt.Errorf("acknowledging a message from %s: the connection it came over has ended, and it may come again", d.Destination)
		}
		return nil
	}
	return d
}

// unsubscribe tells the broker; its RECEIPT, which bears the subscription's id,
// makes the library end the subscription. The library's own way can hang.
func (s *session) unsubscribe(id string) {
	s.seam.sendFrame(frame.New(frame.UNSUBSCRIBE, frame.Id, id, frame.Receipt, id))
}

// disconnect says goodbye, and gives the broker a moment to say it has
// everything.
func (s *session) disconnect() {
	id, r := s.expect()
	s.seam.sendFrame(frame.New(frame.DISCONNECT, frame.Receipt, id))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.wait(ctx, r)
}

// end ends the connection, if it has not, and waits for all that served it.
func (s *session) end() {
	s.seam.fail(errors.New("the connection was closed"))
	<-s.seam.closed
	s.drains.Wait()
}

// silent keeps go-stomp from writing to the standard log.
type silent struct{}

func (silent) Debugf(string, ...any)   {}
func (silent) Infof(string, ...any)    {}
func (silent) Warningf(string, ...any) {}
func (silent) Errorf(string, ...any)   {}
func (silent) Debug(string)            {}
func (silent) Info(string)             {}
func (silent) Warning(string)          {}
func (silent) Error(string)            {}
