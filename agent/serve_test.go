package agent_test

import (
	"errors"
	"testing"
	"time"

	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// A request is answered only where answers go, and only if it is one: of this
// node's collectives, and meaning in its head what it means in its body.
func TestOddRequests(t *testing.T) {
	s := newSite(t)
	d := s.daemonOn(&loop{})
	replies := make(chan bus.Message, 10)
	l := d.Bus.(*loop)
	l.onPublish = func(m bus.Message) { replies <- m }
	d.Splay = time.Hour
	running(t, d.Run)
	inbox := "/exchange/mcollective_directed/web1.acme.net"
	eventually(t, "the daemon", func() bool { return l.listens(inbox) })

	alice := s.sealer("alice", pki.RoleOperator)
	good := wire.Message{
		Kind: wire.Request, Agent: "rpcutil", Collective: "mcollective", TTL: time.Minute,
		ReplyTo: wire.RabbitMQ.Reply("mcollective"), Body: []byte(`{"agent":"rpcutil","action":"ping"}`),
	}
	send := func(change func(*wire.Message)) {
		t.Helper()
		m := good
		m.RequestID, m.Sent = wire.NewRequestID(), time.Now()
		change(&m)
		sealed, err := alice.Seal(m)
		if err != nil {
			t.Fatal(err)
		}
		l.deliver(inbox, sealed, nil)
	}
	opener := s.opener()
	for _, tt := range []struct {
		what   string
		change func(*wire.Message)
		body   string // of the reply; empty: there is none
	}{
		{"no collective of this node", func(m *wire.Message) { m.Collective = "other" }, ""},
		{"a reply to the registry", func(m *wire.Message) { m.ReplyTo = registrations }, ""},
		{"a reply to a queue", func(m *wire.Message) { m.ReplyTo = "/queue/x" }, ""},
		{"no reply", func(m *wire.Message) { m.ReplyTo = "" }, ""},
		{"another node", func(m *wire.Message) { m.Body = []byte(`{"agent":"rpcutil","action":"ping","node":"web2.acme.net"}`) }, ""},
		{"no request", func(m *wire.Message) { m.Kind, m.TTL, m.Sequence = wire.Registration, 0, 1 }, ""},
		{"another agent in the head", func(m *wire.Message) { m.Agent = "nrpe" }, `{"statuscode":4,"statusmsg":"the message is for agent \"nrpe\", its body for \"rpcutil\"","data":{}}`},
		{"no agent of that name", func(m *wire.Message) { m.Agent, m.Body = "nosuch", []byte(`{"agent":"nosuch","action":"x"}`) },
			`{"statuscode":2,"statusmsg":"no agent \"nosuch\" on this node","data":{}}`},
		{"a body that is a list", func(m *wire.Message) { m.Body = []byte(`[]`) },
			`{"statuscode":4,"statusmsg":"the request is not a JSON object with agent, action and data","data":{}}`},
		{"this node in other letters", func(m *wire.Message) {
			m.Body = []byte(`{"agent":"rpcutil","action":"collective_info","node":"WEB1.acme.net","data":null}`)
		}, `{"statuscode":0,"statusmsg":"OK","data":{"collectives":["mcollective"],"main_collective":"mcollective"}}`},
	} {
		send(tt.change)
		if tt.body == "" {
			select {
			case m := <-replies:
				t.Errorf("%s: answered, to %s", tt.what, m.Destination)
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case m := <-replies:
			opened, err := opener.Open(m.Body)
			if err != nil || string(opened.Body) != tt.body || m.Destination != good.ReplyTo || opened.Kind != wire.Reply {
				t.Errorf("%s: %s to %s, %v", tt.what, opened.Body, m.Destination, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: no reply", tt.what)
		}
	}
}

// A daemon that can not listen says so, and leaves nothing running.
func TestADaemonThatCannotListen(t *testing.T) {
	s := newSite(t)
	d := s.daemonOn(&loop{deaf: errors.New("no rights")})
	if err := d.Run(t.Context()); err == nil || err.Error() != "listening for the registry's receipts to web1.acme.net: no rights" {
		t.Errorf("Run returned %v", err)
	}
}
