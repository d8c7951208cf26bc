package bus

import (
	"context"
	"fmt"
	"time"
)

// change sets the session that others may use. The caller holds mu.
func (c *Client) change(s *session) {
	c.session = s
	close(c.changed)
	c.changed = make(chan struct{})
}

// connection makes one connection and stays until it ends, and says how long it
// was of use and why it ended.
func (c *Client) connection(ctx context.Context, a address) (lasted time.Duration, err error) {
	s, err := dial(ctx, a, &c.config)
	if err == nil {
		err = c.attend(ctx, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Now()
	if c.status.Connected {
		lasted = now.Sub(c.status.Since)
		c.status.Connected, c.status.Since = false, now
	}
	if err != nil && ctx.Err() == nil {
		c.status.LastError, c.status.ErrorAt = err.Error(), now
		c.status.Failures++
	}
	return lasted, err
}

// attend puts the subscriptions on a session, lets others use it, and waits
// for its end.
func (c *Client) attend(ctx context.Context, s *session) error {
	defer s.end()
	if err := c.subscribeAll(ctx, s); err != nil {
		return fmt.Errorf("%s: %w", s.broker, err)
	}
	c.config.Log.Info("connected to the broker", "broker", s.broker.String())
	c.stay(ctx, s)
	c.mu.Lock()
	c.change(nil)
	c.mu.Unlock()
	if ctx.Err() != nil {
		s.disconnect()
		return nil
	}
	return fmt.Errorf("connected to %s: %w", s.broker, s.seam.why)
}

// stay waits for the end of the session, and of ctx.
func (c *Client) stay(ctx context.Context, s *session) {
	retry := time.NewTicker(min(c.retry, time.Second))
	defer retry.Stop()
	for {
		select {
		case <-s.seam.dead:
			return
		case <-ctx.Done():
			return
		case <-retry.C:
			for _, sub := range c.forgiven() {
				// A refusal ends the session, which says why.
				_ = c.reattach(ctx, s, sub)
			}
		}
	}
}

// subscribeAll returns once every subscription is on s and s is c's session.
func (c *Client) subscribeAll(ctx context.Context, s *session) error {
	for {
		c.mu.Lock()
		next := c.unsubscribed(s)
		if next == nil {
			c.status.Connected, c.status.Broker = true, s.broker.String()
			c.status.Since, c.status.Failures = c.config.Now(), 0
			c.change(s)
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		if err := c.reattach(ctx, s, next); err != nil {
			return err
		}
	}
}

// unsubscribed returns a subscriber that should be on s and is not. The caller
// holds mu.
func (c *Client) unsubscribed(s *session) *subscriber {
	for sub := range c.subscribers {
		if sub.on != s && (sub.refused.IsZero() || c.mayRetry(sub)) {
			return sub
		}
	}
	return nil
}

// forgiven returns the subscribers that were refused so long ago that it is
// worth another try.
func (c *Client) forgiven() (all []*subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for sub := range c.subscribers {
		if !sub.refused.IsZero() && c.mayRetry(sub) {
			all = append(all, sub)
		}
	}
	return all
}

// mayRetry reports whether a subscription that was refused may be tried again:
// soon at first, since a broker that has just started may not have all that it
// will have, and ever more seldom.
func (c *Client) mayRetry(s *subscriber) bool {
	const first, doublings = time.Second, 6
	return c.config.Now().Sub(s.refused) >= min(c.retry, first<<min(s.refusals-1, doublings))
}
