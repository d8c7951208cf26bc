package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Subscription is what to receive.
type Subscription struct {
	Destination string

	// Selector lets only some messages through: mc_identity = 'NAME'.
	Selector string

	// AckEach keeps a message with the broker until Delivery.Ack is called, to
	// be delivered again if the connection is lost before.
	AckEach bool
}

// subscriber is a Subscription with its handler, over all connections.
type subscriber struct {
	Subscription
	handle func(context.Context, Delivery)
	queue  *bounded[Delivery]
	ahead  atomic.Int64 // with AckEach, what a broker may send before an acknowledgement; halved on overflow

	// These belong to the client's lock.
	stop     func()     // ends the handler; nil before Run
	verdict  chan error // the broker's first answer, if Subscribe waits for it
	refused  time.Time  // when a broker last refused it; zero: none has
	refusals int        // in a row
	on       *session   // the session it is on
	id       string     // and its name there
}

// work handles deliveries, one after the other.
func (s *subscriber) work(ctx context.Context) {
	for {
		items, _ := s.queue.take(nil)
		for _, d := range items {
			if ctx.Err() != nil {
				return
			}
			s.handle(ctx, d)
			s.queue.finished(d)
		}
		select {
		case <-s.queue.wake:
		case <-ctx.Done():
			return
		}
	}
}

// size is what a delivery counts for while it waits.
func (d Delivery) size() int { return overhead + len(d.Body) }

// Subscribe calls handle for every message, one at a time, until cancel is
// called or Run ends; then handle's context is done. The subscription is made
// again on every new connection.
//
// With a connection, Subscribe returns when the broker has confirmed; without,
// at once: in either case nothing that is published after it is published
// before the subscription is in place. ctx bounds that wait and nothing else.
//
// A subscription that is refused on a later connection is tried again after a
// second, and ever more seldom, at last every minute; until then the client works
// without it, and its status says so.
//
// Deliveries that wait for handle when a connection is lost are still handled;
// with AckEach the broker delivers them again.
func (c *Client) Subscribe(ctx context.Context, what Subscription, handle func(context.Context, Delivery)) (cancel func(), err error) {
	sub := &subscriber{
		Subscription: what, handle: handle,
		queue: newBounded[Delivery](c.config.Queue),
	}
	sub.ahead.Store(defaultPrefetch)
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return nil, errors.New("subscribing to " + what.Destination + ": the connection to the broker has been shut down")
	}
	c.subscribers[sub] = struct{}{}
	if c.launch != nil {
		c.launch(sub)
	}
	s := c.session
	if s != nil {
		sub.verdict = make(chan error, 1)
	}
	c.mu.Unlock()

	cancel = sync.OnceFunc(func() { c.cancel(sub) })
	if s == nil {
		return cancel, nil
	}
	err = c.attach(ctx, s, sub)
	if isLost(err) && !isRefused(err) {
		// The next connection will tell.
		select {
		case err = <-sub.verdict:
		case <-ctx.Done():
			err = fmt.Errorf("subscribing to %s: %w", what.Destination, context.Cause(ctx))
		}
	}
	c.mu.Lock()
	sub.verdict = nil
	c.mu.Unlock()
	if err != nil {
		cancel()
		return nil, err
	}
	return cancel, nil
}

// attach puts one subscription on a session.
func (c *Client) attach(ctx context.Context, s *session, sub *subscriber) error {
	id, err := s.subscribe(ctx, sub)
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", sub.Destination, err)
	}
	c.mu.Lock()
	sub.on, sub.id = s, id
	_, wanted := c.subscribers[sub]
	c.mu.Unlock()
	if !wanted {
		s.unsubscribe(id)
	}
	return nil
}

// reattach is attach for a new connection. A refusal is told to a Subscribe that
// still waits; if none does, the subscription is left out for a while, because
// a broker that refuses one closes the connection on all.
func (c *Client) reattach(ctx context.Context, s *session, sub *subscriber) error {
	err := c.attach(ctx, s, sub)
	c.mu.Lock()
	defer c.mu.Unlock()
	if isLost(err) && !isRefused(err) {
		return err
	}
	if err == nil {
		sub.refused, sub.refusals = time.Time{}, 0
	} else {
		sub.refused, sub.refusals = c.config.Now(), sub.refusals+1
	}
	if sub.verdict != nil {
		select {
		case sub.verdict <- err:
		default:
		}
	}
	return err
}

func (c *Client) cancel(sub *subscriber) {
	c.mu.Lock()
	delete(c.subscribers, sub)
	s, id, stop := sub.on, sub.id, sub.stop
	c.mu.Unlock()
	sub.queue.end()
	if stop != nil {
		stop()
	}
	if s != nil {
		s.unsubscribe(id)
	}
}
