package bus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"
)

// patience is how long tests wait for what should happen at once.
const patience = 30 * time.Second

// roles logs everybody in whose passcode is "secret", in the role that the
// login names; a node's login is "node:NAME".
func roles(c Credentials) (Principal, error) {
	if c.Passcode != "secret" {
		return Principal{}, errors.New("wrong passcode")
	}
	for _, r := range []Role{RoleNode, RoleLegacy, RoleClient, RoleRegistry} {
		if c.Login == r.String() {
			return Principal{Role: r, Name: "web1.acme.net"}, nil
		}
	}
	return Principal{}, errors.New("unknown login")
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start serves b on a port of its own until the test ends or stop is called.
func start(t testing.TB, b *Broker) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), serve(t, b, l)
}

func serve(t testing.TB, b *Broker, l net.Listener) (stop func()) {
	t.Helper()
	if b.Authenticate == nil {
		b.Authenticate = roles
	}
	if b.Log == nil {
		b.Log = quiet()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, l) }()
	stop = func() {
		cancel()
		select {
		case err := <-done:
			done <- err
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve did not return when its context was done")
		}
	}
	t.Cleanup(stop)
	return stop
}

// run makes a client of the broker at address and runs it until the test ends.
func run(t testing.TB, address, login string, change ...func(*Config)) *Client {
	t.Helper()
	config := Config{
		Brokers: []string{"stomp://" + address}, Login: login, Passcode: "secret",
		BackOff: 10 * time.Millisecond, MaxBackOff: 50 * time.Millisecond, Log: quiet(),
	}
	for _, f := range change {
		f(&config)
	}
	c := NewClient(config)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return when its context was done")
		}
	})
	return c
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// listen subscribes and returns what arrives.
func listen(t testing.TB, c *Client, s Subscription) <-chan Delivery {
	t.Helper()
	if err := c.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	got := make(chan Delivery, 100_000)
	if _, err := c.Subscribe(soon(t), s, func(_ context.Context, d Delivery) { got <- d }); err != nil {
		t.Fatal(err)
	}
	return got
}

func publish(t testing.TB, c *Client, m Message) {
	t.Helper()
	if err := c.Publish(soon(t), m); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, from <-chan Delivery) Delivery {
	t.Helper()
	select {
	case d := <-from:
		return d
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
		return Delivery{}
	}
}
