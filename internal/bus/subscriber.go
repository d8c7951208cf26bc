package bus

import (
	"context"
	"errors"
	"sync"
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

	// These belong to the client's lock.
	stop func()   // ends the handler; nil before Run
	on   *session // the session it is on, and its name there
	id   string
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
// Deliveries that wait for handle when a connection is lost are still handled;
// with AckEach the broker delivers them again.
func (c *Client) Subscribe(ctx context.Context, what Subscription, handle func(context.Context, Delivery)) (cancel func(), err error) {
	sub := &subscriber{
		Subscription: what, handle: handle,
		queue: newBounded[Delivery](c.config.Queue),
	}
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
	c.mu.Unlock()

	cancel = sync.OnceFunc(func() { c.cancel(sub) })
	if s == nil {
		return cancel, nil
	}
	err = c.attach(ctx, s, sub)
	if l, ok := errors.AsType[*lost](err); ok {
		if _, refused := errors.AsType[*Refused](l.why); !refused {
			return cancel, nil // the next connection has it
		}
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return cancel, nil
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
