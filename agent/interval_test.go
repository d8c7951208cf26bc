package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// fleetOfOne is a daemon on a loop, in a bubble of fake time, and a registry
// that answers as the test says.
type fleetOfOne struct {
	*loop
	daemon   agent.Daemon
	site     *site
	registry *wire.Sealer
	collects atomic.Int32
	sent     []time.Duration // when, since the beginning
	messages []wire.Opened
	answer   func(n int) string // the body of the receipt for the nth sending; "" is silence
	began    time.Time
}

func newFleetOfOne(t *testing.T) *fleetOfOne {
	s := newSite(t)
	f := &fleetOfOne{loop: &loop{}, site: s, registry: s.sealer("registry.acme.net", pki.RoleRegistry), began: time.Now()}
	f.daemon = agent.Daemon{
		Bus: f, Sealer: s.sealer("web1.acme.net", pki.RoleNode), Opener: s.opener(), Counter: counter(t), Log: quiet(),
		Collect: func(ctx context.Context) agent.Snapshot { f.collects.Add(1); return collected(ctx) }, Interval: 10 * time.Minute,
	}
	f.answer = func(int) string { return `{"accepted":true}` }
	opener := s.opener()
	f.onPublish = func(m bus.Message) {
		opened, err := opener.Open(m.Body)
		if err != nil {
			t.Error(err)
			return
		}
		f.sent, f.messages = append(f.sent, time.Since(f.began)), append(f.messages, opened)
		if body := f.answer(len(f.sent)); body != "" {
			f.receipt(t, opened, body)
		}
	}
	return f
}

// receipt delivers a receipt for a registration.
func (f *fleetOfOne) receipt(t *testing.T, m wire.Opened, body string) {
	sealed, err := f.registry.Seal(wire.Message{
		Kind: wire.Receipt, Agent: "registration", Collective: "mcollective", RequestID: m.RequestID, Sent: time.Now(), Body: []byte(body),
	})
	if err != nil {
		t.Error(err)
	}
	f.deliver(m.ReplyTo, sealed, nil)
}

// run runs the daemon for a time.
func (f *fleetOfOne) run(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := f.daemon.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run returned %v", err)
	}
}

// within fails unless d is wish, give or take a tenth.
func within(t *testing.T, what string, d, wish time.Duration) {
	t.Helper()
	if d < wish-wish/10 || d > wish+wish/10 {
		t.Errorf("%s after %v, want %v ± 10 %%", what, d, wish)
	}
}

// A day of registrations keeps to the interval, and is not in step.
func TestTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.run(t, 24*time.Hour)
		if f.sent[0] != 0 || len(f.sent) < 130 || len(f.sent) > 160 {
			t.Errorf("%d registrations, the first after %v", len(f.sent), f.sent[0])
		}
		gaps := map[time.Duration]bool{}
		for i := range len(f.sent) - 1 {
			gap := f.sent[i+1] - f.sent[i]
			within(t, fmt.Sprintf("registration %d", i+1), gap, 10*time.Minute)
			gaps[gap] = true
			if f.messages[i+1].Sequence <= f.messages[i].Sequence {
				t.Errorf("sequence %d after %d", f.messages[i+1].Sequence, f.messages[i].Sequence)
			}
		}
		if len(gaps) < 100 {
			t.Errorf("only %d different gaps: nodes would stay in step", len(gaps))
		}
	})
}

// Nodes that start together do not come together.
func TestTheSplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := map[time.Duration]bool{}
		for range 10 {
			f := newFleetOfOne(t)
			f.daemon.Splay = 5 * time.Minute
			f.run(t, 6*time.Minute)
			if len(f.sent) != 1 || f.sent[0] >= 5*time.Minute {
				t.Errorf("sent at %v", f.sent)
			}
			first[f.sent[0]] = true
		}
		if len(first) < 9 {
			t.Errorf("only %d different beginnings", len(first))
		}
	})
}

// Without a receipt the daemon sends again, ever more slowly, and with fresh
// facts once the interval has passed.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.answer = func(int) string { return "" }
		f.run(t, 31*time.Minute)
		wait := 5 * time.Second
		for i := range len(f.sent) - 1 {
			within(t, fmt.Sprintf("sending %d", i+2), f.sent[i+1]-f.sent[i], wait)
			wait = min(2*wait, 2*time.Minute)
		}
		if n := f.collects.Load(); n < 3 || n > 4 {
			t.Errorf("collected %d times in half an hour", n)
		}
		seen := map[string]bool{}
		for _, m := range f.messages {
			if seen[m.RequestID] {
				t.Error("a request id was used twice")
			}
			seen[m.RequestID] = true
		}
	})
}

// The registry says when it wants to hear again, within reason.
func TestNextIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for next, want := range map[string]time.Duration{
			`{"accepted":true,"next":60}`: time.Minute, `{"accepted":true,"next":0}`: 10 * time.Minute,
			`{"accepted":true,"next":-5}`: 10 * time.Minute, `{"accepted":true,"next":99999999}`: 24 * time.Hour,
			`{"accepted":false,"reason":"older","detail":"x"}`: 10 * time.Minute,
		} {
			f := newFleetOfOne(t)
			f.answer = func(int) string { return next }
			f.run(t, 3*want)
			if len(f.sent) < 3 {
				t.Fatalf("%s: sent at %v", next, f.sent)
			}
			within(t, next, f.sent[1]-f.sent[0], want)
			within(t, next, f.sent[2]-f.sent[1], want)
		}
	})
}

// A broker that takes nothing is tried again; the registration is not given up.
func TestABrokerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.refuse = errors.New("no rights")
		go func() {
			time.Sleep(3 * time.Minute)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.refuse = nil
		}()
		f.run(t, 9*time.Minute)
		if len(f.sent) != 1 || f.sent[0] < 3*time.Minute || f.sent[0] > 6*time.Minute {
			t.Errorf("sent at %v", f.sent)
		}
	})
}

// A receipt that comes after the daemon has sent again still counts; one for
// something else does not, nor does the refusal of what was overtaken.
func TestLateReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.answer = func(n int) string {
			if n == 2 {
				other := f.messages[0]
				other.RequestID = wire.NewRequestID()
				f.receipt(t, other, `{"accepted":true}`)
				f.receipt(t, f.messages[0], `{"accepted":false,"reason":"older"}`)
				f.receipt(t, f.messages[0], `[]`)
				go func() {
					time.Sleep(time.Second)
					f.receipt(t, f.messages[0], `{"accepted":true}`)
				}()
			}
			return ""
		}
		receipt, err := f.daemon.Once(t.Context())
		if err != nil || !receipt.Accepted || len(f.sent) != 2 {
			t.Errorf("%+v, %v after %d sendings", receipt, err, len(f.sent))
		}
		within(t, "the receipt", time.Since(f.began)-f.sent[1], time.Second)
	})
}

// What is registered has the shape that the registry reads.
func TestTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.daemon.Collectives = []string{"acme", "mcollective"}
		f.daemon.Agents = []agent.Agent{agent.NRPE{}.Agent()}
		if _, err := f.daemon.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := f.messages[0]
		var body map[string]json.RawMessage
		if err := json.Unmarshal(m.Body, &body); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"facts": `{"customer":"acme","kernel":"Linux","os":{"family":"Debian"}}`, "classes": `["mysql::master"]`,
			"agents": `["nrpe","rpcutil"]`, "collectives": `["acme","mcollective"]`, "interval": `600`,
		}
		for key, text := range want {
			if string(body[key]) != text {
				t.Errorf("%s is %s, want %s", key, body[key], text)
			}
		}
		if len(body) != len(want) || m.Collective != "acme" || m.Agent != "registration" {
			t.Errorf("body %s, collective %s, agent %s", m.Body, m.Collective, m.Agent)
		}
	})
}

// However short the interval is, a slow broker gets the time it takes.
func TestAShortIntervalLeavesTimeToPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetOfOne(t)
		f.daemon.Bus, f.daemon.Interval = slowBus{f}, time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if receipt, err := f.daemon.Once(ctx); err != nil || !receipt.Accepted {
			t.Errorf("%+v, %v", receipt, err)
		}
	})
}

// slowBus takes 20 seconds for a message.
type slowBus struct{ *fleetOfOne }

func (b slowBus) Publish(ctx context.Context, m bus.Message) error {
	select {
	case <-time.After(20 * time.Second):
		return b.fleetOfOne.Publish(ctx, m)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
