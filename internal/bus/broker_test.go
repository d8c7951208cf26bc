package bus

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// The frames are those of reference traffic of MCollective 2.12.5 on RabbitMQ.
func TestMCollectiveOverRabbitMQNames(t *testing.T) {
	address, _ := start(t, &Broker{})
	node, client := login(t, address, "legacy"), login(t, address, "client")

	node.send("SUBSCRIBE\ndestination:/exchange/mcollective_directed/node1.example.com\ncontent-length:0\ncontent-type:text/plain; charset=UTF-8\n\n\x00")
	node.send("SUBSCRIBE\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_broadcast/discovery\ncontent-length:0\n\n\x00")
	node.sync()

	client.send("SEND\nreply-to:/temp-queue/mcollective_reply_discovery\nexpiration:70000\nmc_sender:client.example.com\n" +
		"destination:/exchange/mcollective_broadcast/discovery\ncontent-length:4\ncontent-type:text/plain; charset=UTF-8\n\n\x04\x08\x00x\x00")
	m := node.want(frame.MESSAGE, "\x04\x08\x00x", "destination", "/exchange/mcollective_broadcast/discovery",
		"mc_sender", "client.example.com", "expiration", "70000", "redelivered", "false", "content-length", "4", "content-type", "text/plain; charset=UTF-8")
	if _, ok := m.Header.Contains(frame.Subscription); ok {
		t.Errorf("a STOMP 1.0 client without ids got %s", spell(m))
	}
	replyTo := m.Header.Get("reply-to")
	if !strings.HasPrefix(replyTo, "/reply-queue/amq.gen-") {
		t.Fatalf("reply-to %q", replyTo)
	}
	node.send("SEND\nexpiration:70000\nmc_sender:node1.example.com\ndestination:" + replyTo + "\ncontent-length:4\n\npong\x00")
	client.want(frame.MESSAGE, "pong", "subscription", "/temp-queue/mcollective_reply_discovery",
		"destination", "/queue/"+strings.TrimPrefix(replyTo, "/reply-queue/"))

	// The same name on the same connection is the same queue, on another it is another's.
	client.send("SEND\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_directed/node1.example.com\n\nhello\x00")
	if got := node.want(frame.MESSAGE, "hello").Header.Get("reply-to"); got != replyTo {
		t.Errorf("reply-to changed from %q to %q", replyTo, got)
	}
	other := login(t, address, "client")
	other.send("SEND\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_directed/node1.example.com\n\nhello\x00")
	if got := node.want(frame.MESSAGE, "hello").Header.Get("reply-to"); got == replyTo {
		t.Error("two connections share one private queue")
	}

	node.send("UNSUBSCRIBE\nreply-to:/temp-queue/mcollective_reply_discovery\ndestination:/exchange/mcollective_broadcast/discovery\ncontent-length:0\n\n\x00")
	node.sync()
	client.send("SEND\ndestination:/exchange/mcollective_broadcast/discovery\n\nlost\x00SEND\ndestination:/exchange/mcollective_directed/node1.example.com\n\nfound\x00")
	node.want(frame.MESSAGE, "found")
}

func TestMCollectiveOverActiveMQNames(t *testing.T) {
	address, _ := start(t, &Broker{})
	node, other, client := login(t, address, "legacy"), login(t, address, "legacy"), login(t, address, "client")
	node.send("SUBSCRIBE\nselector:mc_identity = 'node1'\ndestination:/queue/mcollective.nodes\n\n\x00SUBSCRIBE\ndestination:/topic/mcollective.rpcutil.agent\n\n\x00")
	node.sync()
	other.send("SUBSCRIBE\nselector:mc_identity = 'node2'\ndestination:/queue/mcollective.nodes\n\n\x00SUBSCRIBE\ndestination:/topic/mcollective.rpcutil.agent\n\n\x00")
	other.sync()
	client.send("SUBSCRIBE\ndestination:/queue/mcollective.reply.client_1.1\n\n\x00")
	// One for a node that is away until later.
	for _, to := range []string{"node2", "node1", "node3"} {
		client.send("SEND\ntimestamp:1\nexpires:0\nreply-to:/queue/mcollective.reply.client_1.1\nmc_identity:" + to + "\ndestination:/queue/mcollective.nodes\n\nfor " + to + "\x00")
	}
	client.send("SEND\ndestination:/topic/mcollective.rpcutil.agent\n\nfor all\x00")
	node.want(frame.MESSAGE, "for node1", "reply-to", "/queue/mcollective.reply.client_1.1")
	node.want(frame.MESSAGE, "for all")
	other.want(frame.MESSAGE, "for node2")
	other.want(frame.MESSAGE, "for all")
	third := login(t, address, "legacy")
	third.send("SUBSCRIBE\nselector:mc_identity = 'node3'\ndestination:/queue/mcollective.nodes\n\n\x00")
	third.want(frame.MESSAGE, "for node3")

	node.send("SEND\ndestination:/queue/mcollective.reply.client_1.1\n\npong\x00")
	client.want(frame.MESSAGE, "pong")
}

func TestTopicPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"a.b", "a.b", true}, {"a.*", "a.b", true}, {"a.*", "a", false}, {"a.*", "a.b.c", false},
		{"*", "a", true}, {"*", "", false}, {"#", "", true}, {"#", "a.b.c", true}, {"a.#", "a", true}, {"a.#", "a.b.c", true},
		{"a.#", "b", false}, {"#.c", "a.b.c", true}, {"#.c", "c", true}, {"#.c", "a.b", false}, {"a.#.c", "a.c", true},
		{"a.#.c", "a.x.y.c", true}, {"a.#.c.#", "a.c.c", true}, {"*.#", "a", true}, {"*.#", "", false}, {"#.*", "a.b", true},
		{"a.#.b.*", "a.b.b.b.c", true}, {"a.#.b.*", "a.b", false}, {strings.Repeat("#.", 40) + "x", strings.Repeat("a.", 400) + "b", false},
	} {
		if got := matchWords(splitKey(c.pattern), splitKey(c.key)); got != c.want {
			t.Errorf("pattern %q, key %q: %v", c.pattern, c.key, got)
		}
	}

	address, _ := start(t, &Broker{})
	r := login(t, address, "registry")
	r.send("SUBSCRIBE\ndestination:/exchange/mcollective_broadcast/#\n\n\x00SUBSCRIBE\ndestination:/topic/*.muster.reply.#\n\n\x00")
	r.send("SUBSCRIBE\ndestination:/exchange/mcollective_directed/*\n\n\x00")
	r.send("SEND\ndestination:/exchange/mcollective_directed/web1\n\ndirect: literal\x00")
	r.send("SEND\ndestination:/exchange/mcollective_broadcast/rpcutil\n\nbroadcast\x00SEND\ndestination:/topic/uk.muster.reply.1\n\nreply\x00")
	r.want(frame.MESSAGE, "broadcast")
	r.want(frame.MESSAGE, "reply")
	r.sync()
}

func TestVersions(t *testing.T) {
	address, _ := start(t, &Broker{})
	for _, c := range []struct{ accept, want string }{
		{"1.0", "1.0"}, {"1.1,1.0", "1.1"}, {"1.0,1.1,1.2", "1.2"}, {"1.2,1.3,2.0", "1.2"},
	} {
		r := login(t, address, "client", "accept-version:"+c.accept)
		if got := r.in.version.String(); got != c.want {
			t.Errorf("of %s the broker chose %s", c.accept, got)
		}
	}
	r := dialRaw(t, address, nil)
	r.send("CONNECT\nlogin:client\npasscode:secret\n\n\x00")
	r.want(frame.CONNECTED, "", "version", "1.0", "server", "muster")
	r = dialRaw(t, address, nil)
	r.send("CONNECT\naccept-version:3.0\nlogin:client\npasscode:secret\n\n\x00")
	r.refused("1.0, 1.1 and 1.2")
}

// Headers cross between versions, and can not be made up by crossing.
func TestHeadersBetweenVersions(t *testing.T) {
	address, _ := start(t, &Broker{})
	older, newer := login(t, address, "registry"), login(t, address, "registry", "accept-version:1.2")
	older.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
	older.sync()
	newer.send("SUBSCRIBE\nid:a\\cb\ndestination:/topic/t\n\n\x00")
	newer.sync()
	newer.send("SEND\ndestination:/topic/t\nurl:http\\c//x\nevil:a\\nforged\\cyes\n\n1\x00")
	m := older.want(frame.MESSAGE, "1", "url", "http://x", "forged", "")
	if _, ok := m.Header.Contains("evil"); ok {
		t.Errorf("a header that STOMP 1.0 cannot say got through: %s", spell(m))
	}
	newer.want(frame.MESSAGE, "1", "url", "http://x", "evil", "a\nforged:yes", "subscription", "a:b")
	older.send("SEND\ndestination:/topic/t\nurl:http://x\\n\n\n2\x00")
	newer.want(frame.MESSAGE, "2", "url", `http://x\n`)
}

func TestAcknowledge(t *testing.T) {
	for _, c := range []struct {
		name, version, mode string
		do                  []string // "+n" or "-n": ACK or NACK the n-th delivery
		left                string   // what another subscriber gets once the first has gone
	}{
		{"individual", "1.2", "client-individual", []string{"+1", "+3"}, "2 4 5"},
		{"individual, 1.1", "1.1", "client-individual", []string{"+2"}, "1 3 4 5"},
		{"cumulative", "1.2", "client", []string{"+3"}, "4 5"},
		{"cumulative, 1.0", "1.0", "client", []string{"+4"}, "5"},
		{"auto", "1.2", "auto", nil, ""},
		{"none", "1.2", "client", nil, "1 2 3 4 5"},
		{"twice", "1.2", "client-individual", []string{"+1", "+1"}, "2 3 4 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, _ := start(t, &Broker{})
			r := login(t, address, "registry", "accept-version:"+c.version)
			r.send("SUBSCRIBE\nid:s\nack:" + c.mode + "\ndestination:/queue/q\n\n\x00")
			var names []string
			for n := 1; n <= 5; n++ {
				r.send(fmt.Sprintf("SEND\ndestination:/queue/q\n\n%d\x00", n))
				m := r.want(frame.MESSAGE, fmt.Sprint(n), "redelivered", "false")
				if c.version == "1.2" && c.mode != "auto" && m.Header.Get("ack") == "" {
					t.Errorf("no ack header in %s", spell(m))
				}
				names = append(names, m.Header.Get(frame.MessageId))
			}
			for _, step := range c.do {
				name := names[step[1]-'1']
				r.send(fmt.Sprintf("ACK\nid:%s\nmessage-id:%s\nsubscription:s\n\n\x00", name, name))
			}
			r.send("DISCONNECT\nreceipt:bye\n\n\x00")
			r.want(frame.RECEIPT, "", "receipt-id", "bye")
			if f, err := r.in.read(); err == nil {
				t.Fatalf("after DISCONNECT came %s", spell(f))
			}
			other := login(t, address, "registry")
			other.send("SUBSCRIBE\ndestination:/queue/q\n\n\x00")
			for want := range strings.FieldsSeq(c.left) {
				other.want(frame.MESSAGE, want, "redelivered", "true")
			}
			other.sync()
		})
	}
}

func TestNackGivesBack(t *testing.T) {
	address, _ := start(t, &Broker{})
	first, second := login(t, address, "registry", "accept-version:1.2"), login(t, address, "registry", "accept-version:1.2")
	first.send("SUBSCRIBE\nid:s\nack:client-individual\nprefetch-count:1\ndestination:/queue/q\n\n\x00SEND\ndestination:/queue/q\n\nx\x00")
	m := first.want(frame.MESSAGE, "x")
	second.send("SUBSCRIBE\nid:s\nack:client-individual\nprefetch-count:1\ndestination:/queue/q\n\n\x00")
	second.sync()
	// The first one is full until it has given the message back.
	first.send("SEND\ndestination:/queue/q\n\ny\x00")
	second.want(frame.MESSAGE, "y")
	first.send("NACK\nid:" + m.Header.Get("ack") + "\n\n\x00")
	first.want(frame.MESSAGE, "x", "redelivered", "true")
}

// A subscription that acknowledges is sent no more than it asked for, also
// from an exchange, and gets the rest as it acknowledges.
func TestPrefetch(t *testing.T) {
	address, _ := start(t, &Broker{})
	r := login(t, address, "registry", "accept-version:1.2")
	r.send("SUBSCRIBE\nid:s\nack:client-individual\nprefetch-count:2\ndestination:/exchange/mcollective_broadcast/registration\n\n\x00")
	for n := range 5 {
		r.send(fmt.Sprintf("SEND\ndestination:/exchange/mcollective_broadcast/registration\n\n%d\x00", n))
	}
	first := r.want(frame.MESSAGE, "0")
	r.want(frame.MESSAGE, "1")
	r.sync() // nothing else came before
	r.send("ACK\nid:" + first.Header.Get("ack") + "\n\n\x00")
	r.want(frame.MESSAGE, "2")
	r.sync()
}

func TestQueueSharesOut(t *testing.T) {
	address, _ := start(t, &Broker{})
	a, b := login(t, address, "registry"), login(t, address, "registry")
	for _, r := range []*raw{a, b} {
		r.send("SUBSCRIBE\ndestination:/queue/q\n\n\x00")
		r.sync()
	}
	for n := range 4 {
		a.send(fmt.Sprintf("SEND\ndestination:/queue/q\n\n%d\x00", n))
	}
	a.want(frame.MESSAGE, "0")
	b.want(frame.MESSAGE, "1")
	a.want(frame.MESSAGE, "2")
	b.want(frame.MESSAGE, "3")
}

func TestExpiry(t *testing.T) {
	var now atomic.Int64
	now.Store(1_000_000)
	address, _ := start(t, &Broker{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	r := login(t, address, "registry")
	r.send("SEND\ndestination:/queue/q\nexpiration:1000\n\nrelative\x00")
	r.send("SEND\ndestination:/queue/q\nexpires:1001000\n\nabsolute\x00")
	r.send("SEND\ndestination:/queue/q\nexpires:0\n\nnever\x00")
	r.send("SEND\ndestination:/queue/q\nexpiration:1001\n\njust\x00")
	r.sync()
	now.Add(1000)
	r.send("SUBSCRIBE\ndestination:/queue/q\n\n\x00")
	r.want(frame.MESSAGE, "never")
	r.want(frame.MESSAGE, "just")
	r.sync()
}

// What breaks the protocol or a limit is answered with ERROR in words and the
// end of the connection.
func TestRefusals(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{
		AfterLogin:    FrameLimits{Headers: 10, HeaderBytes: 2 << 10, BodyBytes: 64 << 10},
		Subscriptions: 2, Queues: 2, Queue: 16 << 10,
	}})
	big := strings.Repeat("x", 64<<10)
	for _, c := range []struct {
		name, frames string
		want         []string
	}{
		{"garbage", "GET / HTTP/1.1\n\n", []string{"malformed frame", "unknown command"}},
		{"a broker's frame", "MESSAGE\n\n\x00", []string{"MESSAGE", "only a broker"}},
		{"CONNECT twice", "CONNECT\n\n\x00", []string{"already connected"}},
		{"transactions", "BEGIN\ntransaction:1\nreceipt:7\n\n\x00", []string{"BEGIN", "no transactions"}},
		{"SEND in a transaction", "SEND\ntransaction:1\ndestination:/queue/q\n\n\x00", []string{"no transactions"}},
		{"no destination", "SEND\n\n\x00", []string{"a destination is"}},
		{"SEND to a temporary queue", "SEND\ndestination:/temp-queue/x\n\n\x00", []string{"a destination is"}},
		{"SUBSCRIBE to a private queue", "SUBSCRIBE\nid:1\ndestination:/reply-queue/x\n\n\x00", []string{"a registry may not subscribe to /reply-queue/x"}},
		{"SUBSCRIBE without id", "SUBSCRIBE\ndestination:/queue/q\n\n\x00", []string{"without an id"}},
		{"SUBSCRIBE twice", "SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\x00SUBSCRIBE\nid:1\ndestination:/queue/r\n\n\x00", []string{"already"}},
		{"too many subscriptions", "SUBSCRIBE\nid:1\ndestination:/topic/q\n\n\x00SUBSCRIBE\nid:2\ndestination:/topic/q\n\n\x00SUBSCRIBE\nid:3\ndestination:/topic/q\n\n\x00", []string{"more than 2 subscriptions"}},
		{"an unknown ack", "SUBSCRIBE\nid:1\nack:no\ndestination:/queue/q\n\n\x00", []string{"ack is auto"}},
		{"another selector", "SUBSCRIBE\nid:1\nselector:a = 1\ndestination:/queue/q\n\n\x00", []string{"mc_identity = 'NAME'"}},
		{"UNSUBSCRIBE from nothing", "UNSUBSCRIBE\nid:1\n\n\x00", []string{"no subscription 1"}},
		{"ACK of nothing", "ACK\nid:1\n\n\x00", []string{"names no message"}},
		{"a body too large", "SEND\ndestination:/queue/q\n\n" + big + "xx\x00", []string{"body larger than 65536 bytes"}},
		{"a length too large", "SEND\ndestination:/queue/q\ncontent-length:1000000000\n\n" + big, []string{"body larger than 65536 bytes"}},
		{"headers too large", "SEND\ndestination:/queue/" + big + "\n\n\x00", []string{"headers larger than 2048 bytes"}},
		{"too many headers", "SEND\n" + strings.Repeat("a:b\n", 11) + "\n\x00", []string{"more than 10 headers"}},
		{"a full queue", "SEND\ndestination:/queue/q\n\n" + big[:10<<10] + "\x00SEND\ndestination:/queue/q\nreceipt:7\n\n" + big[:10<<10] + "\x00", []string{"the queue is full"}},
		{"too many queues", "SEND\ndestination:/queue/q\n\n\x00SEND\ndestination:/queue/r\n\n\x00SEND\ndestination:/queue/s\n\n\x00", []string{"too many queues"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := login(t, address, "registry", "accept-version:1.2")
			r.send(c.frames)
			r.refused(c.want...)
			// And nobody else minds; waiting messages are taken out for the next case.
			other := login(t, address, "registry")
			for _, q := range []string{"q", "r", "s"} {
				other.send("SUBSCRIBE\ndestination:/queue/" + q + "\n\n\x00UNSUBSCRIBE\ndestination:/queue/" + q + "\n\n\x00")
			}
			other.send("DISCONNECT\nreceipt:bye\n\n\x00")
			for f := other.read(); f.Command != frame.RECEIPT; f = other.read() {
			}
		})
	}
}

func TestRefusalNamesTheReceipt(t *testing.T) {
	address, _ := start(t, &Broker{})
	r := login(t, address, "node")
	r.send("SEND\nreceipt:42\ndestination:/queue/elsewhere\n\n\x00")
	r.want(frame.ERROR, "a node may not send to /queue/elsewhere\n", "receipt-id", "42", "message", "cannot SEND")
}

func TestBeforeLogin(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{Login: 300 * time.Millisecond}})
	for _, c := range []struct {
		name, frames string
		want         []string
	}{
		{"wrong passcode", "CONNECT\nlogin:client\npasscode:wrong\n\n\x00", []string{"access refused"}},
		{"no login", "CONNECT\n\n\x00", []string{"access refused"}},
		{"another frame first", "SEND\ndestination:/queue/q\n\n\x00", []string{"the first frame is CONNECT"}},
		{"a large body", "CONNECT\ncontent-length:200000000\n\n", []string{"body larger than 1024 bytes"}},
		{"a large body without length", "CONNECT\n\n" + strings.Repeat("x", 2000), []string{"body larger than 1024 bytes"}},
		{"large headers", "CONNECT\na:" + strings.Repeat("x", 5000), []string{"headers larger than 4096 bytes"}},
		{"many headers", "CONNECT\n" + strings.Repeat("a:b\n", 17), []string{"more than 16 headers"}},
		{"a bad heart-beat", "CONNECT\nheart-beat:often\n\n\x00", []string{"heart-beat is two numbers"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dialRaw(t, address, nil)
			r.send(c.frames)
			r.refused(c.want...)
		})
	}
	t.Run("silence", func(t *testing.T) {
		began := time.Now()
		r := dialRaw(t, address, nil)
		if _, err := r.in.read(); err == nil {
			t.Error("the broker spoke first")
		}
		if waited := time.Since(began); waited > 3*time.Second {
			t.Errorf("silence was borne for %v", waited)
		}
	})
	t.Run("dripping", func(t *testing.T) {
		began := time.Now()
		r := dialRaw(t, address, nil)
		for time.Since(began) < 3*time.Second {
			if _, err := r.conn.Write([]byte("\n")); err != nil {
				return // closed, as it should be
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error("a client that never logs in was kept for 3 s")
	})
}

func TestTooManyClients(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{Clients: 1}})
	first := login(t, address, "client")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes as the second of one client", n)
	}
	first.send("DISCONNECT\n\n\x00")
}

func TestHeartBeats(t *testing.T) {
	address, _ := start(t, &Broker{HeartBeat: 200 * time.Millisecond})
	// It wants to be sent heart-beats, and promises some that it does not send.
	r := dialRaw(t, address, nil)
	r.send("CONNECT\naccept-version:1.1\nheart-beat:50,20\nlogin:client\npasscode:secret\n\n\x00")
	r.want(frame.CONNECTED, "", "heart-beat", "200,200")
	beats := 0
	for {
		f, err := r.in.read()
		if err != nil {
			break
		}
		if f != nil {
			t.Fatalf("got %s", spell(f))
		}
		beats++
	}
	if beats == 0 {
		t.Error("no heart-beat came before the broker took the client for dead")
	}

	// One that keeps its promise lives.
	r = dialRaw(t, address, nil)
	r.send("CONNECT\naccept-version:1.1\nheart-beat:50,0\nlogin:registry\npasscode:secret\n\n\x00")
	r.want(frame.CONNECTED, "")
	for range 25 {
		time.Sleep(20 * time.Millisecond)
		r.send("\n")
	}
	r.sync()
}

// What nobody fetches is bounded, in all queues together, and does not stay.
func TestWaitingMessagesAreBounded(t *testing.T) {
	var now atomic.Int64
	now.Store(1_000_000)
	address, _ := start(t, &Broker{
		Now:    func() time.Time { return time.UnixMilli(now.Load()) },
		Limits: Limits{Queue: 20 << 10, Kept: 40 << 10, Stay: time.Second},
	})
	message := func(queue string) string {
		return "SEND\ndestination:/queue/" + queue + "\nreceipt:1\n\n" + strings.Repeat("x", 15<<10) + "\x00"
	}
	for round := range 2 {
		r := login(t, address, "registry")
		for _, queue := range []string{"a", "b"} {
			r.send(message(queue))
			r.want(frame.RECEIPT, "")
		}
		r.send(message("c"))
		r.refused("the queue is full")
		now.Add(1000)
		other := login(t, address, "registry")
		for _, queue := range []string{"a", "b"} {
			other.send("SUBSCRIBE\ndestination:/queue/" + queue + "\n\n\x00")
		}
		other.sync() // all had waited too long
		if round == 0 {
			other.send("DISCONNECT\nreceipt:bye\n\n\x00")
			other.want(frame.RECEIPT, "")
			other.conn.Close()
		}
	}
}

// A subscription that does not acknowledge fast enough is dropped when too much
// waits for it, and others are not.
func TestBacklogOfOneSubscriptionIsBounded(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{Outbox: 100 << 10}})
	lazy, diligent := login(t, address, "registry", "accept-version:1.2"), login(t, address, "registry", "accept-version:1.2")
	for _, r := range []*raw{lazy, diligent} {
		r.send("SUBSCRIBE\nid:s\nack:client-individual\nprefetch-count:2\ndestination:/topic/t\n\n\x00")
		r.sync()
	}
	body := strings.Repeat("x", 10<<10)
	publisher := login(t, address, "registry")
	for n := range 30 {
		publisher.send("SEND\ndestination:/topic/t\n\n" + body + "\x00")
		m := diligent.want(frame.MESSAGE, body)
		diligent.send("ACK\nid:" + m.Header.Get("ack") + "\n\n\x00")
		if n < 2 {
			lazy.want(frame.MESSAGE, body)
		}
	}
	if f, err := lazy.in.read(); err == nil {
		t.Errorf("a third message came without an acknowledgement: %s", spell(f))
	}
	diligent.sync()
}

// A node answers who listens, and leaves nothing for whoever may come.
func TestNodesMakeNoQueues(t *testing.T) {
	address, _ := start(t, &Broker{})
	for _, role := range []string{"node", "legacy"} {
		node, client := login(t, address, role), login(t, address, "client")
		reply := "SEND\ndestination:/queue/mcollective.reply." + role + "\nreceipt:1\n\n"
		node.send(reply + "early\x00")
		node.want(frame.RECEIPT, "")
		client.send("SUBSCRIBE\ndestination:/queue/mcollective.reply." + role + "\n\n\x00")
		client.sync()
		node.send(reply + "in time\x00")
		client.want(frame.MESSAGE, "in time")
	}
}
