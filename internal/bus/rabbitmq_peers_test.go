//go:build peers

package bus

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"muster/internal/bus/rabbittest"
)

// One RabbitMQ serves all of these; the last stops it and starts it again.
func TestRabbitMQ(t *testing.T) {
	server := rabbittest.Start(t, "mcollective", "uk")
	for _, c := range []struct {
		name string
		test func(*testing.T, *rabbittest.Server)
	}{
		{"destinations", rabbitDestinations},
		{"same as ours", rabbitSameAsOurs},
		{"headers and bodies", rabbitHeadersAndBodies},
		{"acknowledgements", rabbitAcknowledgements},
		{"many", rabbitMany},
		{"cancelled", rabbitCancelled},
		{"refusals", rabbitRefusals},
		{"heart-beats", rabbitHeartBeats},
		{"restart", rabbitRestart},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, server) })
	}
}

func runRabbit(t *testing.T, s *rabbittest.Server, change ...func(*Config)) *Client {
	t.Helper()
	change = append([]func(*Config){func(c *Config) {
		c.Brokers, c.Login, c.Passcode, c.Vhost = []string{s.URI}, s.Login, s.Passcode, s.Vhost
	}}, change...)
	return run(t, "", "", change...)
}

// Every kind of destination that our own daemons, clients and registry use.
func rabbitDestinations(t *testing.T, s *rabbittest.Server) {
	sender, receiver := runRabbit(t, s), runRabbit(t, s)
	for _, destination := range []string{
		"/exchange/mcollective_broadcast/registration",
		"/exchange/uk_broadcast/rpcutil",
		"/exchange/mcollective_directed/web1.acme.net",
		"/topic/mcollective.muster.reply.00112233445566778899aabbccddeeff",
		"/exchange/mcollective_reply/client_1_1",
		"/queue/mcollective.reply.client_1.1",
	} {
		got := listen(t, receiver, Subscription{Destination: destination})
		publish(t, sender, Message{Destination: destination, Body: []byte(destination)})
		if d := next(t, got); string(d.Body) != destination {
			t.Errorf("%s delivered %q", destination, d.Body)
		}
	}
	// The virtual host may stand in the address.
	inPath := runRabbit(t, s, func(c *Config) { c.Brokers, c.Vhost = []string{s.URI + "/%2Fmcollective"}, "" })
	publish(t, inPath, Message{Destination: "/topic/t"})
}

// One conversation of MCollective's, as a STOMP 1.0 client sees it, on RabbitMQ
// and on our broker: the frames differ in nothing but names made up by chance.
func rabbitSameAsOurs(t *testing.T, s *rabbittest.Server) {
	ours, _ := start(t, &Broker{})
	address := strings.TrimPrefix(s.URI, "stomp://")
	onRabbit := func(string) *raw {
		r := dialRaw(t, address, nil)
		r.send(fmt.Sprintf("CONNECT\naccept-version:1.0\nhost:%s\nlogin:%s\npasscode:%s\ncontent-length:0\ncontent-type:text/plain; charset=UTF-8\n\n\x00", s.Vhost, s.Login, s.Passcode))
		r.want(frame.CONNECTED, "", "version", "1.0")
		return r
	}
	onOurs := func(role string) *raw { return login(t, ours, role) }
	want, got := conversation(onRabbit), conversation(onOurs)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("frame %d\nours     %s\nRabbitMQ %s", i, got[i], want[i])
		}
	}
}

// conversation lets a node and a client discover, call and answer, and returns
// what they received.
func conversation(connect func(role string) *raw) (frames []string) {
	node, client := connect("legacy"), connect("client")
	note := func(f *frame.Frame) *frame.Frame {
		frames = append(frames, alike(f))
		return f
	}
	node.send("SUBSCRIBE\ndestination:/exchange/mcollective_directed/node1\ncontent-length:0\n\n\x00")
	node.send("SUBSCRIBE\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_broadcast/discovery\nreceipt:1\n\n\x00")
	note(node.read())
	client.send("SEND\nreply-to:/temp-queue/mcollective_reply_discovery\nexpiration:70000\nmc_sender:client\ndestination:/exchange/mcollective_broadcast/discovery\ncontent-length:3\ncontent-type:text/plain; charset=UTF-8\n\na\x00b\x00")
	request := note(node.read())
	node.send("SEND\nexpiration:70000\nmc_sender:node1\ndestination:" + request.Header.Get("reply-to") + "\ncontent-length:4\n\npong\x00")
	note(client.read())
	client.send("SEND\nreply-to:/temp-queue/mcollective_reply_rpcutil\nmc_sender:client\ndestination:/exchange/mcollective_directed/node1\ncontent-length:4\n\ncall\x00")
	request = note(node.read())
	node.send("SEND\ndestination:" + request.Header.Get("reply-to") + "\ncontent-length:6\n\nanswer\x00")
	note(client.read())
	node.send("UNSUBSCRIBE\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_broadcast/discovery\nreceipt:2\n\n\x00")
	note(node.read())
	client.send("SEND\ndestination:/exchange/mcollective_broadcast/discovery\n\nnobody hears\x00SEND\ndestination:/exchange/mcollective_directed/node1\nreceipt:3\n\nlast\x00")
	note(client.read())
	note(node.read())
	node.send("DISCONNECT\nreceipt:4\n\n\x00")
	note(node.read())
	return frames
}

// alike spells a frame without what chance or the broker's habits decide:
// the order of headers, and the names of messages, receipts and queues.
func alike(f *frame.Frame) string {
	var headers []string
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		if before, _, ok := strings.Cut(value, "amq.gen-"); ok {
			value = before + "amq.gen-"
		}
		if name == "message-id" || name == "receipt" { // RabbitMQ passes on the sender's receipt
			continue
		}
		headers = append(headers, name+":"+value)
	}
	return f.Command + " " + strings.Join(slices.Sorted(slices.Values(headers)), " ") + fmt.Sprintf(" %q", f.Body)
}

func rabbitHeadersAndBodies(t *testing.T, s *rabbittest.Server) {
	c := runRabbit(t, s)
	got := listen(t, c, Subscription{Destination: "/topic/t"})
	for _, size := range []int{0, 1, 4095, 4096, 4097, 100_000, 2 << 20} {
		body := strings.Repeat("\x00\n", size/2+1)[:size]
		publish(t, c, Message{Destination: "/topic/t", ReplyTo: "/topic/r", Headers: map[string]string{"mc_sender": "a:b\\c\nd"}, Body: []byte(body)})
		d := next(t, got)
		if string(d.Body) != body || d.ReplyTo != "/topic/r" || d.Headers["mc_sender"] != "a:b\\c\nd" {
			t.Errorf("a body of %d bytes came as one of %d, headers %q", size, len(d.Body), d.Headers)
		}
	}
}

func rabbitAcknowledgements(t *testing.T, s *rabbittest.Server) {
	publisher := runRabbit(t, s)
	proxy := startProxy(t, strings.TrimPrefix(s.URI, "stomp://"))
	subscriber := runRabbit(t, s, func(c *Config) { c.Brokers = []string{"stomp://" + proxy.address} })
	got := listen(t, subscriber, Subscription{Destination: "/queue/acknowledged", AckEach: true})
	for _, body := range []string{"1", "2", "3"} {
		publish(t, publisher, Message{Destination: "/queue/acknowledged", Body: []byte(body)})
	}
	for _, want := range []string{"1", "2", "3"} {
		d := next(t, got)
		if string(d.Body) != want {
			t.Fatalf("got %q, want %q", d.Body, want)
		}
		if want != "2" {
			if err := d.Ack(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A receipt for a later frame: the acknowledgements have arrived.
	publish(t, subscriber, Message{Destination: "/topic/none"})
	proxy.cut()
	d := next(t, got)
	if string(d.Body) != "2" || d.Headers["redelivered"] != "true" {
		t.Errorf("after the connection was cut came %q, redelivered %s", d.Body, d.Headers["redelivered"])
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
}

func rabbitMany(t *testing.T, s *rabbittest.Server) {
	c := runRabbit(t, s)
	got := listen(t, c, Subscription{Destination: "/exchange/mcollective_broadcast/many", AckEach: true})
	const messages, publishers = 2000, 20
	for p := range publishers {
		go func() {
			for n := range messages / publishers {
				if err := c.Publish(soon(t), Message{Destination: "/exchange/mcollective_broadcast/many", Body: []byte(fmt.Sprint(p, n))}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	seen := map[string]bool{}
	for range messages {
		d := next(t, got)
		seen[string(d.Body)] = true
		if err := d.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != messages {
		t.Errorf("%d different messages, want %d", len(seen), messages)
	}
}

func rabbitCancelled(t *testing.T, s *rabbittest.Server) {
	c := runRabbit(t, s)
	if err := c.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for n := range 50 {
		destination := fmt.Sprintf("/topic/mcollective.muster.reply.%d", n)
		got := make(chan Delivery, 1)
		cancel, err := c.Subscribe(soon(t), Subscription{Destination: destination}, func(_ context.Context, d Delivery) { got <- d })
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c, Message{Destination: destination})
		next(t, got)
		cancel()
	}
	noMoreGoroutines(t, before)
}

func rabbitRefusals(t *testing.T, s *rabbittest.Server) {
	waitForError(t, runRabbit(t, s, func(c *Config) { c.Passcode = "wrong" }), "the broker refused: Bad CONNECT: Access refused")
	c := runRabbit(t, s)
	if err := c.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Subscribe(soon(t), Subscription{Destination: "/exchange/none_broadcast/x"}, func(context.Context, Delivery) {})
	if err == nil || !strings.Contains(err.Error(), "subscribing to /exchange/none_broadcast/x: the broker refused: not_found") {
		t.Errorf("subscribing to an exchange that is not there: %v", err)
	}
	err = c.Publish(soon(t), Message{Destination: "/exchange/none_broadcast/x"})
	if err == nil || !strings.Contains(err.Error(), "publishing to /exchange/none_broadcast/x: the broker refused: not_found") {
		t.Errorf("publishing to an exchange that is not there: %v", err)
	}
	publish(t, c, Message{Destination: "/topic/t"})
}

func rabbitHeartBeats(t *testing.T, s *rabbittest.Server) {
	c := runRabbit(t, s, func(c *Config) { c.HeartBeat = time.Second })
	if err := c.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	since := c.Status().Since
	time.Sleep(5 * time.Second)
	if now := c.Status(); !now.Connected || now.Since != since {
		t.Errorf("an idle connection did not last 5 s: %+v", now)
	}
}

func rabbitRestart(t *testing.T, s *rabbittest.Server) {
	c := runRabbit(t, s)
	topic := listen(t, c, Subscription{Destination: "/exchange/mcollective_directed/web1"})
	queue := listen(t, c, Subscription{Destination: "/queue/kept", AckEach: true})
	publish(t, c, Message{Destination: "/queue/kept", Headers: map[string]string{"persistent": "true"}, Body: []byte("kept")})
	next(t, queue) // and not acknowledged
	s.Stop()
	if err := c.Publish(short(t), Message{Destination: "/topic/t"}); err == nil {
		t.Error("published to a broker that is gone")
	}
	s.Resume()
	publish(t, c, Message{Destination: "/exchange/mcollective_directed/web1", Body: []byte("again")})
	if d := next(t, topic); string(d.Body) != "again" {
		t.Errorf("got %q", d.Body)
	}
	d := next(t, queue)
	if string(d.Body) != "kept" {
		t.Errorf("got %q", d.Body)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
}

func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
