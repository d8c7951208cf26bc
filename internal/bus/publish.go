package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// Publish sends m and returns nil once the broker has confirmed that it has it.
// While there is no connection it waits for one, and it sends again what a lost
// connection left unconfirmed, until ctx is done: a message may arrive twice.
func (c *Client) Publish(ctx context.Context, m Message) error {
	if err := c.check(m); err != nil {
		return fmt.Errorf("publishing to %s: %w", m.Destination, err)
	}
	for {
		s, err := c.current(ctx)
		if err == nil {
			err = s.publish(ctx, m)
		}
		if isLost(err) && !isRefused(err) {
			c.gone(s)
			continue
		}
		if err != nil {
			return fmt.Errorf("publishing to %s: %w", m.Destination, err)
		}
		return nil
	}
}

// gone makes sure that a dead session is not tried again.
func (c *Client) gone(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.change(nil)
	}
}

func (c *Client) check(m Message) error {
	if len(m.Body) > c.config.MaxBody {
		return fmt.Errorf("a message of %d bytes is too large: the limit is %d", len(m.Body), c.config.MaxBody)
	}
	if m.Destination == "" || strings.Contains(m.Destination+m.ReplyTo, "\x00") {
		return errors.New("that is no destination")
	}
	for name, value := range m.Headers {
		switch name {
		case "", frame.Destination, frame.ContentLength, frame.Receipt, frame.Transaction, replyToHeader, receiptHeader:
			return fmt.Errorf("the header %q is not the caller's to set", name)
		}
		if strings.Contains(name+value, "\x00") {
			return fmt.Errorf("the header %q holds a NUL", name)
		}
	}
	return nil
}

// current returns the session, and waits for one until ctx is done.
func (c *Client) current(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, changed, ended, last := c.session, c.changed, c.ended, c.status.LastError
		c.mu.Unlock()
		if s != nil {
			return s, nil
		}
		if ended {
			return nil, errors.New("the connection to the broker has been shut down")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no connection to a broker: %s: %w", cmp.Or(last, "none has been tried yet"), context.Cause(ctx))
		}
	}
}
