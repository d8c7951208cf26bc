package bus

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// read does what the client asks until it leaves or has to.
func (p *peer) read(in *frameReader) error {
	for {
		f, err := in.read()
		if err != nil {
			return refuseFrame(err)
		}
		if f == nil {
			continue
		}
		err = p.do(f)
		receipt := f.Header.Get(frame.Receipt)
		if err != nil && !errors.Is(err, io.EOF) {
			return &refusal{message: "cannot " + f.Command, detail: err.Error(), receipt: receipt}
		}
		if receipt != "" {
			p.put(outgoing{frame: frame.New(frame.RECEIPT, frame.ReceiptId, receipt)})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// do carries out one frame. io.EOF is DISCONNECT; any other error ends the
// connection with an ERROR frame.
func (p *peer) do(f *frame.Frame) error {
	switch f.Command {
	case frame.SEND:
		return p.send(f)
	case frame.SUBSCRIBE:
		return p.subscribe(f)
	case frame.UNSUBSCRIBE:
		return p.unsubscribe(f)
	case frame.ACK:
		return p.settle(f, true)
	case frame.NACK:
		return p.settle(f, false)
	case frame.DISCONNECT:
		return io.EOF
	case frame.BEGIN, frame.COMMIT, frame.ABORT:
		return errNoTransactions
	case frame.CONNECT, frame.STOMP:
		return errors.New("already connected")
	}
	return errors.New("only a broker sends this")
}

var errNoTransactions = errors.New("this broker has no transactions")

func (p *peer) send(f *frame.Frame) error {
	if _, ok := f.Header.Contains(frame.Transaction); ok {
		return errNoTransactions
	}
	d, err := parseDestination(f.Header.Get(frame.Destination))
	if err != nil {
		return err
	}
	if placeOf(p.principal, d)&maySend(p.principal.Role) == 0 {
		return p.denied("send to", d)
	}
	replyTo := f.Header.Get(replyToHeader)
	if strings.HasPrefix(replyTo, tempPrefix) {
		if replyTo, err = p.answerTo(replyTo); err != nil {
			return err
		}
	}
	now, router := p.broker.Now(), p.broker.router
	shown := d.text
	if d.kind == private {
		shown = queuePrefix + d.key // as RabbitMQ shows it
	}
	m := newMessage(f, router.last.Add(1), shown, replyTo, now)
	if d.kind == toOne {
		if p.lowly() && !router.heard(d.key) {
			return nil // an answer to somebody who has gone; a node makes no queues
		}
		if m.expires.IsZero() {
			m.expires = now.Add(p.broker.limits.Stay)
		}
	}
	return router.send(d, m, now)
}

// lowly says whether the client is one of many machines rather than somebody
// who works with them.
func (p *peer) lowly() bool {
	return p.principal.Role == RoleNode || p.principal.Role == RoleLegacy
}

func (p *peer) denied(verb string, d destination) error {
	return fmt.Errorf("a %s may not %s %s", p.principal.Role, verb, d.text)
}

// answerTo returns the destination behind one of the client's /temp-queue names.
func (p *peer) answerTo(temp string) (string, error) {
	s := p.temps[temp]
	if s == nil {
		if len(p.temps) >= p.broker.limits.Subscriptions {
			return "", errors.New("too many reply-to names")
		}
		s = p.broker.router.answerTo(p, temp, p.broker.Now())
		p.temps[temp] = s
	}
	return s.destination.text, nil
}

func (p *peer) subscribe(f *frame.Frame) error {
	s, err := newSubscription(p, f)
	if err != nil {
		return err
	}
	if placeOf(p.principal, s.destination)&maySubscribe(p.principal.Role) == 0 {
		return p.denied("subscribe to", s.destination)
	}
	if len(p.subscriptions) >= p.broker.limits.Subscriptions {
		return fmt.Errorf("more than %d subscriptions", p.broker.limits.Subscriptions)
	}
	if p.subscriptions[s.key()] != nil {
		return errors.New("there is a subscription " + s.key() + " already")
	}
	p.numbered++
	s.number = p.numbered
	if err := p.broker.router.subscribe(s, p.broker.Now()); err != nil {
		return err
	}
	p.subscriptions[s.key()] = s
	return nil
}

func (p *peer) unsubscribe(f *frame.Frame) error {
	key := f.Header.Get(frame.Id)
	if key == "" {
		key = f.Header.Get(frame.Destination)
	}
	s := p.subscriptions[key]
	if s == nil {
		return errors.New("there is no subscription " + key)
	}
	delete(p.subscriptions, key)
	p.broker.router.unsubscribe(s, p.broker.Now())
	return nil
}

// settle is ACK and NACK. A message that is not (or no longer) unacknowledged
// is none of the client's business and no mistake of it either: it may have
// acknowledged just when its subscription ended.
func (p *peer) settle(f *frame.Frame, ok bool) error {
	if _, in := f.Header.Contains(frame.Transaction); in {
		return errNoTransactions
	}
	name := f.Header.Get(frame.MessageId)
	if p.version == v12 {
		name = f.Header.Get(frame.Id)
	}
	number, id, valid := parseMessageID(name)
	if !valid {
		return errors.New("it names no message")
	}
	for _, s := range p.subscriptions {
		if s.number == number && s.queue != nil {
			s.queue.settle(s, id, ok, p.broker.Now())
		}
	}
	return nil
}
