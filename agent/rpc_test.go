package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// client is an operator of this site who calls nodes.
func (s *site) client(name string, role pki.Role) agent.Client {
	s.tb.Helper()
	return agent.Client{Bus: s.bus("client"), Sealer: s.sealer(name, role), Opener: s.opener()}
}

// serving starts a daemon and waits until it listens.
func (s *site) serving(d agent.Daemon) {
	s.tb.Helper()
	d.Splay = time.Hour // it does not register in these tests
	listening := &listener{Bus: d.Bus, want: 1 + 2 + len(d.Agents), ready: make(chan struct{})}
	d.Bus = listening
	running(s.tb, d.Run)
	select {
	case <-listening.ready:
	case <-time.After(patience):
		s.tb.Fatal("the daemon does not listen")
	}
	if err := listening.Bus.(*bus.Client).Ready(s.soon()); err != nil {
		s.tb.Fatal(err)
	}
}

// listener tells when the wanted number of subscriptions is made.
type listener struct {
	agent.Bus
	want  int
	ready chan struct{}
}

func (l *listener) Subscribe(ctx context.Context, s bus.Subscription, handle func(context.Context, bus.Delivery)) (func(), error) {
	cancel, err := l.Bus.Subscribe(ctx, s, handle)
	if l.want--; l.want == 0 {
		close(l.ready)
	}
	return cancel, err
}

// call calls and returns the replies by sender.
func call(t *testing.T, c agent.Client, what agent.Call) (map[string]agent.Reply, agent.Outcome) {
	t.Helper()
	replies := map[string]agent.Reply{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, err := c.Call(ctx, what, func(r agent.Reply) { replies[r.Sender] = r })
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Replies != len(replies) {
		t.Errorf("%d replies were counted, %d handed over", outcome.Replies, len(replies))
	}
	return replies, outcome
}

func TestPing(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	for i := range 3 {
		s.serving(s.daemon(fmt.Sprintf("web%d.acme.net", i)))
	}
	c := s.client("alice", pki.RoleOperator)
	start := time.Now()
	replies, outcome := call(t, c, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{"web0.acme.net", "web1.acme.net", "web2.acme.net"}, Timeout: patience})
	if len(replies) != 3 || len(outcome.Silent)+len(outcome.Unproven)+outcome.Failed != 0 {
		t.Errorf("%v, %+v", replies, outcome)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("the call went on for %v after all had answered", took)
	}
	var data struct{ Pong int64 }
	if err := json.Unmarshal(replies["web1.acme.net"].Data, &data); err != nil || time.Since(time.Unix(data.Pong, 0)) > time.Minute {
		t.Errorf("pong %s, %v", replies["web1.acme.net"].Data, err)
	}
	// The same names again, and one that is not there.
	_, outcome = call(t, c, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{"web0.acme.net", "WEB0.acme.net", "ghost"}, Timeout: time.Second})
	if outcome.Replies != 1 || !slices.Equal(outcome.Silent, []string{"ghost"}) {
		t.Errorf("%+v", outcome)
	}
	if _, outcome = call(t, c, agent.Call{Agent: "rpcutil", Action: "ping"}); outcome.Replies != 0 {
		t.Errorf("nobody was asked: %+v", outcome)
	}
}

// Each action answers in the ancestor's shape, mistakes with its status.
func TestRPCUtil(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	d := s.daemon("web1.acme.net")
	d.Agents = []agent.Agent{{Name: "test", Version: "0.1", Timeout: 200 * time.Millisecond, Actions: map[string]agent.Action{
		"panic": func(context.Context, agent.Request) (any, error) { panic("ouch") },
		"hang":  func(ctx context.Context, _ agent.Request) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
		"fail":  func(context.Context, agent.Request) (any, error) { return nil, errors.New("no luck") },
		"who": func(_ context.Context, r agent.Request) (any, error) {
			return map[string]string{"caller": r.Caller}, nil
		},
		"big": func(context.Context, agent.Request) (any, error) {
			return map[string]string{"x": strings.Repeat("x", 3<<20)}, nil
		},
	}}}
	s.serving(d)
	c := s.client("alice", pki.RoleOperator)
	type args = map[string]any
	for _, tt := range []struct {
		agent, action string
		data          any
		status        agent.Status
		message, want string
	}{
		{"rpcutil", "get_fact", args{"fact": "customer"}, 0, "OK", `{"fact":"customer","value":"acme"}`},
		{"rpcutil", "get_fact", args{"fact": "os.family"}, 0, "OK", `{"fact":"os.family","value":"Debian"}`},
		{"rpcutil", "get_fact", args{"fact": "nosuch.fact"}, 0, "OK", `{"fact":"nosuch.fact","value":null}`},
		{"rpcutil", "get_fact", args{}, 3, "needs a fact argument", `{}`},
		{"rpcutil", "get_fact", args{"fact": "a b"}, 4, "Cannot validate input fact", `{}`},
		{"rpcutil", "get_fact", args{"fact": 1}, 4, "want text", `{}`},
		{"rpcutil", "get_facts", args{"facts": "kernel, os.family"}, 0, "OK", `{"values":{"kernel":"Linux","os.family":"Debian"}}`},
		{"rpcutil", "get_facts", nil, 3, "needs a facts argument", `{}`},
		{"rpcutil", "collective_info", nil, 0, "OK", `{"collectives":["mcollective"],"main_collective":"mcollective"}`},
		{"rpcutil", "inventory", nil, 0, "OK", `{"agents":["rpcutil","test"],"classes":["mysql::master"],"collectives":["mcollective"],"data_plugins":[],` +
			`"facts":{"customer":"acme","kernel":"Linux","os":{"family":"Debian"}},"main_collective":"mcollective","version":"1.2.3"}`},
		{"rpcutil", "nosuch", nil, 2, "Unknown action 'nosuch' for agent 'rpcutil'", `{}`},
		{"test", "who", nil, 0, "OK", `{"caller":"cert=alice"}`},
		{"test", "who", []int{1}, 4, "the data of a request is a JSON object", `{}`},
		{"test", "panic", nil, 5, "the action is broken: ouch", `{}`},
		{"test", "hang", nil, 5, "test.hang did not end within 200ms", `{}`},
		{"test", "fail", nil, 5, "no luck", `{}`},
		{"test", "big", nil, 5, "bytes, more than", `{}`},
	} {
		replies, _ := call(t, c, agent.Call{Agent: tt.agent, Action: tt.action, Data: tt.data, Nodes: []string{"web1.acme.net"}, Timeout: patience})
		r := replies["web1.acme.net"]
		if r.Status != tt.status || !strings.Contains(r.Message, tt.message) || string(r.Data) != tt.want {
			t.Errorf("%s.%s %v: %d %q %s", tt.agent, tt.action, tt.data, r.Status, r.Message, r.Data)
		}
	}
	replies, _ := call(t, c, agent.Call{Agent: "rpcutil", Action: "daemon_stats", Nodes: []string{"web1.acme.net"}, Timeout: patience})
	var stats struct{ Total, Validated, Passed, Replies int }
	if err := json.Unmarshal(replies["web1.acme.net"].Data, &stats); err != nil || stats.Total != 18 || stats.Validated != 18 || stats.Replies < 16 || stats.Passed != 16 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	replies, _ = call(t, c, agent.Call{Agent: "rpcutil", Action: "agent_inventory", Nodes: []string{"web1.acme.net"}, Timeout: patience})
	if text := string(replies["web1.acme.net"].Data); !strings.Contains(text, `{"agent":"test","name":"test","description":"","version":"0.1","timeout":0.2,"actions":["big","fail","hang","panic","who"]}`) {
		t.Errorf("agent_inventory: %s", text)
	}
}

// Who may not call is told so, and nothing is done.
func TestOnlyOperatorsMayCall(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	done := make(chan string, 10)
	d := s.daemon("web1.acme.net")
	d.Callers = []string{"deploy"}
	d.Agents = []agent.Agent{{Name: "test", Actions: map[string]agent.Action{
		"do": func(_ context.Context, r agent.Request) (any, error) { done <- r.Caller; return nil, nil },
	}}}
	s.serving(d)
	do := agent.Call{Agent: "test", Action: "do", Nodes: []string{"web1.acme.net"}, Timeout: patience}
	replies, _ := call(t, s.client("web2.acme.net", pki.RoleNode), do)
	if r := replies["web1.acme.net"]; r.Status != agent.UnknownError || !strings.Contains(r.Message, "web2.acme.net may not call agents on web1.acme.net") {
		t.Errorf("a node: %+v", r)
	}
	call(t, s.client("deploy", pki.RoleNode), do)
	call(t, s.client("alice", pki.RoleOperator), do)
	if a, b := <-done, <-done; a != "cert=deploy" || b != "cert=alice" || len(done) > 0 {
		t.Errorf("done for %s, %s and %d more", a, b, len(done))
	}
	do.Timeout = 500 * time.Millisecond
	stranger := newSite(t).client2(s, "alice")
	if replies, outcome := call(t, stranger, do); len(replies) != 0 || len(outcome.Silent) != 1 {
		t.Errorf("a stranger: %v, %+v", replies, outcome)
	}
}

// client2 is somebody with a certificate of this site on another site's bus.
func (s *site) client2(other *site, name string) agent.Client {
	s.tb.Helper()
	return agent.Client{Bus: other.bus("client"), Sealer: s.sealer(name, pki.RoleOperator), Opener: other.opener()}
}

// A request that was overheard can not be given to another node, nor twice to
// the same one.
func TestARequestIsForOneNodeAndOnce(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	ran := make(chan string, 10)
	for _, name := range []string{"web1.acme.net", "web2.acme.net"} {
		d := s.daemon(name)
		d.Agents = []agent.Agent{{Name: "test", Actions: map[string]agent.Action{
			"do": func(context.Context, agent.Request) (any, error) { ran <- name; return nil, nil },
		}}}
		s.serving(d)
	}
	tap := &tap{Bus: s.bus("registry")}
	c := agent.Client{Bus: tap, Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	call(t, c, agent.Call{Agent: "test", Action: "do", Nodes: []string{"web1.acme.net"}, Timeout: patience})
	again := tap.sent[0]
	for _, to := range []string{"web1.acme.net", "web2.acme.net"} {
		again.Destination = "/exchange/mcollective_directed/" + to
		if err := tap.Bus.Publish(s.soon(), again); err != nil {
			t.Fatal(err)
		}
		call(t, c, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{to}, Timeout: patience}) // comes after it
	}
	if len(ran) != 1 {
		t.Errorf("ran %d times", len(ran))
	}
}

// tap remembers what is published.
type tap struct {
	agent.Bus
	sent []bus.Message
}

func (b *tap) Publish(ctx context.Context, m bus.Message) error {
	b.sent = append(b.sent, m)
	return b.Bus.Publish(ctx, m)
}

// Replies that nobody asked for, or that are not proven, are named and not
// believed; the first good one counts.
func TestRepliesAreProven(t *testing.T) {
	s := newSite(t)
	other := newSite(t)
	web1, web2 := s.sealer("web1.acme.net", pki.RoleNode), s.sealer("web2.acme.net", pki.RoleNode)
	forged := other.sealer("web1.acme.net", pki.RoleNode)
	fake := &loop{}
	fake.onPublish = func(m bus.Message) {
		request, err := s.opener().Open(m.Body)
		if err != nil {
			t.Error(err)
			return
		}
		reply := func(by *wire.Sealer, id string, kind wire.Kind, body string) {
			sealed, err := by.Seal(wire.Message{Kind: kind, Agent: "rpcutil", Collective: "mcollective", RequestID: id, Sent: time.Now(), Body: []byte(body)})
			if err != nil {
				t.Error(err)
				return
			}
			fake.deliver(m.ReplyTo, sealed, nil)
		}
		good := `{"statuscode":0,"statusmsg":"OK","data":{}}`
		reply(forged, request.RequestID, wire.Reply, good)
		reply(web2, request.RequestID, wire.Reply, good)
		reply(web1, wire.NewRequestID(), wire.Reply, good)
		reply(web1, request.RequestID, wire.Receipt, good)
		reply(web1, request.RequestID, wire.Reply, `[]`)
		fake.deliver(m.ReplyTo, []byte("rubbish"), nil)
		reply(web1, request.RequestID, wire.Reply, `{"statuscode":1,"statusmsg":"first","data":{}}`)
		reply(web1, request.RequestID, wire.Reply, good)
	}
	c := agent.Client{Bus: fake, Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	replies, outcome := call(t, c, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{"web1.acme.net"}, Timeout: patience})
	if r := replies["web1.acme.net"]; r.Message != "first" || outcome.Failed != 1 {
		t.Errorf("%+v, %+v", replies, outcome)
	}
	var got []string
	for _, u := range outcome.Unproven {
		got = append(got, u.Sender+" "+u.Reason)
	}
	want := []string{
		"web1.acme.net untrusted", "web2.acme.net was not asked", "web1.acme.net answers another request",
		"web1.acme.net sent a receipt where", "web1.acme.net its reply can not be read", " bad_seal",
	}
	if len(got) != len(want) {
		t.Fatalf("unproven %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("unproven %q, want %q", got[i], want[i])
		}
	}
}

// A caller who goes away ends the call, and the error says so.
func TestACallEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	c := agent.Client{Bus: &loop{}, Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	outcome, err := c.Call(ctx, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: []string{"b", "a"}}, func(agent.Reply) { t.Error("a reply") })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "calling rpcutil.ping") || !slices.Equal(outcome.Silent, []string{"a", "b"}) {
		t.Errorf("%+v, %v", outcome, err)
	}
}

func TestABrokerThatRefusesEndsTheCall(t *testing.T) {
	s := newSite(t)
	c := agent.Client{Bus: &loop{refuse: errors.New("no rights")}, Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	nodes := make([]string, 100)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("web%d", i)
	}
	start := time.Now()
	outcome, err := c.Call(t.Context(), agent.Call{Agent: "rpcutil", Action: "ping", Nodes: nodes, Timeout: patience}, func(agent.Reply) {})
	if err == nil || !strings.Contains(err.Error(), "asking web") || len(outcome.Silent) != 100 {
		t.Errorf("%d silent, %v", len(outcome.Silent), err)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

// Names that would lead elsewhere are refused before anything is sent.
func TestNamesThatAreNone(t *testing.T) {
	s := newSite(t)
	c := agent.Client{Bus: &loop{}, Sealer: s.sealer("alice", pki.RoleOperator), Opener: s.opener()}
	for _, call := range []agent.Call{
		{Agent: "rpcutil", Action: "ping", Nodes: []string{"web1", "../registration"}},
		{Agent: "rpcutil", Action: "ping", Nodes: []string{"-oProxyCommand=x"}},
		{Agent: "rpcutil", Action: "ping", Nodes: []string{"web1"}, Collective: "x_broadcast/registration"},
	} {
		if _, err := c.Call(t.Context(), call, func(agent.Reply) {}); err == nil || !strings.Contains(err.Error(), "calling rpcutil.ping: ") {
			t.Errorf("%+v: %v", call, err)
		}
	}
	d := agent.Daemon{Bus: &loop{}, Sealer: s.sealer("web1", pki.RoleNode), Collectives: []string{"a b"}}
	if _, err := d.Once(t.Context()); err == nil || !strings.Contains(err.Error(), `"a b" can not be a collective`) {
		t.Errorf("the daemon: %v", err)
	}
	r := agent.Receiver{Bus: &loop{}, Collectives: []string{"a/b"}}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "can not be a collective") {
		t.Errorf("the receiver: %v", err)
	}
}

// Why a check was not run is in the log of the daemon that was asked.
func TestTheDaemonsLogSaysWhyACheckWasNotRun(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	d := s.daemon("db1.acme.net")
	var log bytes.Buffer // handlers write one at a time, and before the reply
	d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d.Agents = []agent.Agent{agent.NRPE{Paths: []string{}}.Agent()}
	s.serving(d)
	call(t, s.client("alice", pki.RoleOperator), agent.Call{
		Agent: "nrpe", Action: "runcommand", Data: map[string]string{"command": "nosuch"}, Nodes: []string{"db1.acme.net"},
	})
	if !strings.Contains(log.String(), `check=nosuch`) || !strings.Contains(log.String(), "No such command: nosuch") {
		t.Errorf("log %q", log.String())
	}
}
