package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relisten takes a port again that a broker has just left.
func relisten(t *testing.T, address string) net.Listener {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l, err := net.Listen("tcp", address)
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// The broker is stopped and started again, three times, while messages are
// published: all that Publish confirmed arrive, in the end over subscriptions
// that came back by themselves.
func TestNothingConfirmedIsLostWhenTheBrokerRestarts(t *testing.T) {
	address, stop := start(t, &Broker{})
	publisher, subscriber := run(t, address, "registry"), run(t, address, "registry")
	var mu sync.Mutex
	got := map[string]bool{}
	if err := subscriber.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	_, err := subscriber.Subscribe(soon(t), Subscription{Destination: "/queue/q", AckEach: true}, func(_ context.Context, d Delivery) {
		time.Sleep(100 * time.Microsecond)
		mu.Lock()
		got[string(d.Body)] = true
		mu.Unlock()
		_ = d.Ack() // fails when the connection is lost, and the message comes again
	})
	if err != nil {
		t.Fatal(err)
	}

	var confirmed []string
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			body := fmt.Sprint(n)
			if err := publisher.Publish(soon(t), Message{Destination: "/queue/q", Body: []byte(body)}); err != nil {
				t.Errorf("message %d: %v", n, err)
				return
			}
			confirmed = append(confirmed, body)
		}
	}()
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		stop()
		stop = serve(t, &Broker{}, relisten(t, address))
	}
	time.Sleep(200 * time.Millisecond)
	close(end)
	<-done
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		missing := 0
		for _, body := range confirmed {
			if !got[body] {
				missing++
			}
		}
		mu.Unlock()
		if missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d confirmed messages did not arrive", missing, len(confirmed))
		}
	}
	if len(confirmed) < 100 {
		t.Errorf("only %d messages were published: the test proves little", len(confirmed))
	}
}

func TestSubscriptionsComeBack(t *testing.T) {
	address, stop := start(t, &Broker{})
	client := run(t, address, "registry")
	topic := listen(t, client, Subscription{Destination: "/topic/t"})
	queue := listen(t, client, Subscription{Destination: "/queue/mcollective.nodes", Selector: "mc_identity = 'web1'"})
	stop()
	serve(t, &Broker{}, relisten(t, address))

	// Publish waits for the connection, and the subscriptions come before it.
	publish(t, client, Message{Destination: "/topic/t", Body: []byte("again")})
	publish(t, client, Message{Destination: "/queue/mcollective.nodes", Headers: map[string]string{"mc_identity": "web2"}})
	publish(t, client, Message{Destination: "/queue/mcollective.nodes", Headers: map[string]string{"mc_identity": "web1"}, Body: []byte("mine")})
	if d := next(t, topic); string(d.Body) != "again" {
		t.Errorf("got %q", d.Body)
	}
	if d := next(t, queue); string(d.Body) != "mine" {
		t.Errorf("got %q", d.Body)
	}
}

// What is not acknowledged when a connection is lost comes again.
func TestUnacknowledgedComesAgain(t *testing.T) {
	address, _ := start(t, &Broker{})
	publisher := run(t, address, "registry")
	proxy := startProxy(t, address)
	subscriber := run(t, proxy.address, "registry")
	got := listen(t, subscriber, Subscription{Destination: "/queue/q", AckEach: true})
	publish(t, publisher, Message{Destination: "/queue/q", Body: []byte("x")})
	first := next(t, got)
	proxy.cut()
	again := next(t, got)
	if string(again.Body) != "x" || again.Headers["redelivered"] != "true" {
		t.Errorf("got %+v", again)
	}
	if err := first.Ack(); err == nil || !strings.Contains(err.Error(), "may come again") {
		t.Errorf("acknowledging over a connection that is gone: %v", err)
	}
	if err := again.Ack(); err != nil {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	address, stop := start(t, &Broker{})
	client := run(t, address, "registry")
	if err := client.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	ended := make(chan struct{})
	cancel, err := client.Subscribe(soon(t), Subscription{Destination: "/topic/t"}, func(ctx context.Context, _ Delivery) {
		calls.Add(1)
		<-ctx.Done()
		close(ended)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		publish(t, client, Message{Destination: "/topic/t"})
	}
	for calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	cancel()
	<-ended
	publish(t, client, Message{Destination: "/topic/t"})
	stop()
	serve(t, &Broker{}, relisten(t, address))
	publish(t, client, Message{Destination: "/topic/t"})
	if n := calls.Load(); n != 1 {
		t.Errorf("the handler was called %d times, want once", n)
	}
}

// A subscription that its caller gave up on takes no messages from others.
func TestSubscribeGivenUp(t *testing.T) {
	address, _ := start(t, &Broker{})
	client := run(t, address, "registry")
	if err := client.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		cancel, err := client.Subscribe(gone, Subscription{Destination: "/queue/q", AckEach: true}, func(context.Context, Delivery) { t.Error("called") })
		if err == nil {
			cancel() // the confirmation was faster
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	got := listen(t, client, Subscription{Destination: "/queue/q", AckEach: true})
	for range 10 {
		publish(t, client, Message{Destination: "/queue/q"})
		if err := next(t, got).Ack(); err != nil {
			t.Error(err)
		}
	}
}

// Many subscriptions made and cancelled on one connection leave nothing behind.
func TestCancelledSubscriptionsLeaveNothing(t *testing.T) {
	address, _ := start(t, &Broker{})
	client := run(t, address, "registry")
	if err := client.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for n := range 100 {
		cancel, err := client.Subscribe(soon(t), Subscription{Destination: fmt.Sprintf("/topic/t%d", n)}, func(context.Context, Delivery) {})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, client, Message{Destination: fmt.Sprintf("/topic/t%d", n)})
		cancel()
	}
	noMoreGoroutines(t, before)
}

func TestBrokersInTurn(t *testing.T) {
	address, stop := start(t, &Broker{})
	other, _ := start(t, &Broker{})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	client := run(t, address, "registry", func(c *Config) {
		c.Brokers = []string{"stomp://" + nobody.Addr().String(), "stomp://" + address, "stomp://" + other}
	})
	publish(t, client, Message{Destination: "/topic/t"})
	s := client.Status()
	if !s.Connected || s.Broker != "stomp://"+address || s.Since.IsZero() || !strings.Contains(s.LastError, "connection refused") {
		t.Errorf("status %+v", s)
	}
	stop()
	publish(t, client, Message{Destination: "/topic/t"})
	if s := client.Status(); s.Broker != "stomp://"+other {
		t.Errorf("status %+v, want connected to %s", s, other)
	}
}

// A broker that fails slowly does not keep the client from the next one.
func TestSlowFailuresAreFailures(t *testing.T) {
	address, _ := start(t, &Broker{})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	var minutes atomic.Int64
	client := run(t, address, "registry", func(c *Config) {
		c.Brokers = []string{"stomp://" + nobody.Addr().String(), "stomp://" + address}
		c.Now = func() time.Time { return time.Unix(60*minutes.Add(1), 0) }
	})
	publish(t, client, Message{Destination: "/topic/t"})
}

// The words of errors are for people.
func TestStatusInWords(t *testing.T) {
	address, _ := start(t, &Broker{})
	refused := run(t, address, "client", func(c *Config) { c.Passcode = "wrong" })
	waitForError(t, refused, `logging in to stomp://`+address+` as "client": the broker refused: access refused: login or passcode is wrong`)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := refused.Publish(ctx, Message{Destination: "/topic/t"})
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "publishing to /topic/t: no connection to a broker: logging in to") {
		t.Errorf("Publish without a connection: %v", err)
	}
	nowhere := run(t, "host.invalid:1", "client")
	waitForError(t, nowhere, "connecting to stomp://host.invalid:1: ")
}

func TestPublishRefused(t *testing.T) {
	address, _ := start(t, &Broker{})
	client := run(t, address, "node")
	for destination, want := range map[string]string{
		"/queue/elsewhere": "publishing to /queue/elsewhere: the broker refused: cannot SEND: a node may not send to /queue/elsewhere",
		"nonsense":         "a destination is /exchange/NAME",
		"":                 "that is no destination",
	} {
		if err := client.Publish(soon(t), Message{Destination: destination}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("publishing to %q: %v, want %q", destination, err, want)
		}
	}
	// A receipt shows a connection that no earlier refusal is about to end:
	// without one, Subscribe returns before the broker has spoken.
	publish(t, client, Message{Destination: "/topic/mcollective.muster.reply.1"})
	if _, err := client.Subscribe(soon(t), Subscription{Destination: "/queue/elsewhere"}, nil); err == nil || !strings.Contains(err.Error(), "a node may not subscribe to /queue/elsewhere") {
		t.Errorf("subscribing: %v", err)
	}
	for _, m := range []Message{
		{Destination: "/topic/mcollective.muster.reply.1", Headers: map[string]string{"receipt": "1"}},
		{Destination: "/topic/mcollective.muster.reply.1", Headers: map[string]string{"a": "\x00"}},
		{Destination: "/topic/mcollective.muster.reply.1", Body: make([]byte, 9<<20)},
	} {
		if err := client.Publish(soon(t), m); err == nil {
			t.Errorf("published %q with %d bytes", m.Headers, len(m.Body))
		}
	}
	// The refusals ended connections, not the client, and the refused
	// subscription does not end the next one.
	publish(t, client, Message{Destination: "/topic/mcollective.muster.reply.1", Headers: map[string]string{"a:b": "c\n\\"}})
}

// A subscription made before there was a connection, and then refused, does not
// keep the client from its other work.
func TestRefusedSubscriptionIsLeftOut(t *testing.T) {
	address, _ := start(t, &Broker{})
	client := NewClient(Config{Brokers: []string{"stomp://" + address}, Login: "node", Passcode: "secret", BackOff: time.Millisecond, Log: quiet()})
	got := make(chan Delivery, 1)
	for _, destination := range []string{"/queue/elsewhere", "/topic/mcollective.muster.reply.1"} {
		if _, err := client.Subscribe(t.Context(), Subscription{Destination: destination}, func(_ context.Context, d Delivery) { got <- d }); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	publish(t, client, Message{Destination: "/topic/mcollective.muster.reply.1", Body: []byte("x")})
	if d := next(t, got); string(d.Body) != "x" {
		t.Errorf("got %q", d.Body)
	}
	if s := client.Status(); !s.Connected || !strings.Contains(s.LastError, "subscribing to /queue/elsewhere: the broker refused") {
		t.Errorf("status %+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// And it comes when the broker has thought better of it.
func TestRefusedSubscriptionIsTriedAgain(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{Queues: 1}})
	other := login(t, address, "registry")
	other.send("SEND\ndestination:/queue/only\n\nx\x00")
	other.sync()

	client := NewClient(Config{Brokers: []string{"stomp://" + address}, Login: "registry", Passcode: "secret", BackOff: time.Millisecond, Log: quiet()})
	client.retry = 50 * time.Millisecond
	got := make(chan Delivery, 1)
	if _, err := client.Subscribe(t.Context(), Subscription{Destination: "/queue/q"}, func(_ context.Context, d Delivery) { got <- d }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	waitForError(t, client, "subscribing to /queue/q: the broker refused: cannot SUBSCRIBE: there are too many queues")
	other.send("SUBSCRIBE\ndestination:/queue/only\n\n\x00UNSUBSCRIBE\ndestination:/queue/only\n\n\x00")
	other.want("MESSAGE", "x")
	other.sync()
	publish(t, client, Message{Destination: "/queue/q"}) // waits there if need be
	next(t, got)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestIdleConnectionLasts(t *testing.T) {
	address, _ := start(t, &Broker{HeartBeat: 200 * time.Millisecond})
	client := run(t, address, "client", func(c *Config) { c.HeartBeat = 200 * time.Millisecond })
	if err := client.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // each takes the other for dead after 400 ms
	if s := client.Status(); !client.Connected() || s.LastError != "" {
		t.Errorf("status %+v", s)
	}
}

// A handler that is too slow costs the connection, not the heart-beats; what
// it has not acknowledged comes again, so that all is handled in the end.
func TestSlowHandler(t *testing.T) {
	address, _ := start(t, &Broker{HeartBeat: 500 * time.Millisecond})
	publisher := run(t, address, "registry")
	var failures atomic.Int64
	subscriber := run(t, address, "registry", func(c *Config) { c.Queue, c.HeartBeat = 10*(overhead+1000), 500*time.Millisecond })
	if err := subscriber.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1000)
	_, err := subscriber.Subscribe(soon(t), Subscription{Destination: "/queue/q", AckEach: true}, func(_ context.Context, d Delivery) {
		time.Sleep(5 * time.Millisecond)
		if d.Ack() != nil {
			failures.Add(1)
			return
		}
		seen <- string(d.Body[:3])
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		publish(t, publisher, Message{Destination: "/queue/q", Body: []byte(fmt.Sprintf("%03d%997d", n, 0))})
	}
	missing := map[string]bool{}
	for n := range 100 {
		missing[fmt.Sprintf("%03d", n)] = true
	}
	for len(missing) > 0 {
		select {
		case n := <-seen:
			delete(missing, n)
		case <-time.After(patience):
			t.Fatalf("%d messages were never dealt with", len(missing))
		}
	}
	if s := subscriber.Status(); !strings.Contains(s.LastError, "messages from /queue/q came faster than they were dealt with") {
		t.Errorf("status %+v", s)
	}
}

// Between the brokers of a round there is no pause, after each round a longer
// one, up to the limit; chance takes off at most half.
func TestBackOff(t *testing.T) {
	c := NewClient(Config{BackOff: time.Second, MaxBackOff: 5 * time.Second})
	for _, want := range []struct {
		failures, brokers int
		most              time.Duration
	}{
		{1, 1, time.Second}, {2, 1, 2 * time.Second}, {3, 1, 4 * time.Second}, {4, 1, 5 * time.Second}, {1000, 1, 5 * time.Second},
		{0, 1, time.Second}, // a steady connection was lost
		{0, 3, time.Second}, {1, 3, 0}, {2, 3, 0}, {3, 3, time.Second}, {4, 3, 0}, {6, 3, 2 * time.Second},
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := c.pause(want.failures, want.brokers)
			if d < want.most/2 || d > want.most {
				t.Fatalf("failure %d of %d brokers: a pause of %v, want %v at most", want.failures, want.brokers, d, want.most)
			}
			seen[d] = true
		}
		if want.most > 0 && len(seen) < 10 {
			t.Errorf("only %d different pauses of a hundred", len(seen))
		}
	}
}

func TestRunRefusesBadAddresses(t *testing.T) {
	for _, c := range []struct {
		brokers []string
		want    string
	}{
		{nil, "no broker is configured"},
		{[]string{"localhost:61613"}, "an address looks like stomp://HOST:PORT"},
		{[]string{"amqp://h:1"}, "amqp is not a scheme for brokers"},
		{[]string{"stomp://"}, "an address looks like"},
		{[]string{"stomp://u:topsecret@/x"}, "an address looks like"},
		{[]string{"stomp://h/%zz"}, "an address looks like"},
	} {
		err := NewClient(Config{Brokers: c.brokers}).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v, want %q", c.brokers, err, c.want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		text string
		want address
	}{
		{"stomp://h", address{hostPort: "h:61613", host: "h"}},
		{"stomp+ssl://h", address{hostPort: "h:61614", host: "h", tls: true}},
		{"stomp://[::1]:7/mcollective", address{hostPort: "[::1]:7", host: "::1", vhost: "mcollective"}},
		{"stomp://u:p%40ss@h:7/%2Fmcollective", address{hostPort: "h:7", host: "h", vhost: "/mcollective", login: "u", passcode: "p@ss"}},
		{"stomp://h/", address{hostPort: "h:61613", host: "h"}},
	} {
		got, err := parseAddress(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.text, got, err)
		}
		if shown := got.String(); strings.Contains(shown, "p@ss") || strings.Contains(shown, "p%40ss") {
			t.Errorf("%s is shown as %s", c.text, shown)
		}
	}
}

// proxy passes bytes between clients and a broker until it is cut.
type proxy struct {
	address string
	mu      sync.Mutex
	conns   []net.Conn
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		p.cut()
		all.Wait()
	})
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			all.Go(func() { _, _ = io.Copy(in, out); in.Close() })
			all.Go(func() { _, _ = io.Copy(out, in); out.Close() })
		}
	})
	return p
}

// cut ends all connections there are.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
