package agent_test

import (
	"context"
	"sync"

	"muster/internal/bus"
)

// loop is a broker for tests in which time or hostility matters more than
// bytes: it tells of what is published, and delivers what it is told to.
type loop struct {
	onPublish func(bus.Message)
	refuse    error // of what is published
	deaf      error // of subscriptions

	mu       sync.Mutex
	handlers map[string]func(context.Context, bus.Delivery)
}

func (l *loop) Publish(ctx context.Context, m bus.Message) error {
	l.mu.Lock()
	refuse := l.refuse
	l.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	if l.onPublish != nil {
		l.onPublish(m)
	}
	return ctx.Err()
}

func (l *loop) Subscribe(_ context.Context, s bus.Subscription, handle func(context.Context, bus.Delivery)) (func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deaf != nil {
		return nil, l.deaf
	}
	if l.handlers == nil {
		l.handlers = map[string]func(context.Context, bus.Delivery){}
	}
	l.handlers[s.Destination] = handle
	return func() {}, nil
}

// listens reports whether somebody subscribed.
func (l *loop) listens(destination string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.handlers[destination] != nil
}

// deliver gives a message to whoever subscribed.
func (l *loop) deliver(destination string, body []byte, ack func() error) {
	l.mu.Lock()
	handle := l.handlers[destination]
	l.mu.Unlock()
	if handle != nil {
		handle(context.Background(), bus.Delivery{Message: bus.Message{Destination: destination, Body: body}, Ack: ack})
	}
}
