package registrytest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/registry"
)

// Opener opens one and the same store, each time it is called: what was put
// into it before is there. The suite closes a store before it opens it again.
type Opener func(t *testing.T) registry.Store

// Options say what a store is known not to do, and how long to try.
type Options struct {
	Without []string // names of Values that the server behind the store is known to lose or refuse
	Steps   int      // random puts, touches and deletes; 0: 300
	Nodes   int      // different nodes among them; 0: 40
	Events  int      // as many as are many; 0: 2,500
}

// TestStore holds a store to what [registry.Store] promises. Fresh makes the
// opener of a new, empty store.
func TestStore(t *testing.T, fresh func(t *testing.T) Opener, o Options) {
	t.Run("empty", func(t *testing.T) { emptyStore(t, fresh(t)) })
	t.Run("values", func(t *testing.T) { valuesSurvive(t, fresh(t), o) })
	t.Run("keys", func(t *testing.T) { keysSurvive(t, fresh(t)) })
	t.Run("case", func(t *testing.T) { caseIsFolded(t, fresh(t)) })
	t.Run("sections", func(t *testing.T) { sectionsSurvive(t, fresh(t)) })
	t.Run("overtaken", func(t *testing.T) { overtakenBeats(t, fresh(t)) })
	t.Run("model", func(t *testing.T) { storeIsAMap(t, fresh(t), o) })
	t.Run("concurrent", func(t *testing.T) { concurrentPuts(t, fresh(t), o) })
	t.Run("cancelled", func(t *testing.T) { cancelledPut(t, fresh(t)) })
}

func emptyStore(t *testing.T, open Opener) {
	check(t, open, nil)
	check(t, open, nil)
	s := open(t)
	defer closeStore(t, s)
	if err := s.Delete(t.Context(), "nobody"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if err := s.Touch(t.Context(), registry.Beat{Identity: "nobody", Source: registry.Daemon, Received: start}); err != nil {
		t.Errorf("touching what is not there: %v", err)
	}
	if err := s.Put(t.Context()); err != nil {
		t.Errorf("putting nothing: %v", err)
	}
}

func valuesSurvive(t *testing.T, open Opener, o Options) {
	facts := Values()
	for _, name := range o.Without {
		if _, ok := facts[name]; !ok {
			t.Fatalf("there is no value named %s", name)
		}
		delete(facts, name)
	}
	roundTrip(t, open, node("values", facts))
}

func keysSurvive(t *testing.T, open Opener) {
	facts, inner := map[string]any{}, map[string]any{}
	for i, key := range HostileKeys() {
		facts[key] = int64(i)
		inner[key] = map[string]any{key: []any{map[string]any{key: "x"}}}
	}
	facts["below"] = inner
	roundTrip(t, open, node("keys", facts))
}

// caseIsFolded: identities that differ in case are one, the last spelling wins.
func caseIsFolded(t *testing.T, open Opener) {
	s := open(t)
	put(t, s, node("DB1.acme.net", map[string]any{"a": int64(1)}))
	last := node("db1.ACME.net", map[string]any{"a": int64(2)})
	put(t, s, last)
	closeStore(t, s)
	check(t, open, []registry.Node{last})
	s = open(t)
	if err := s.Delete(t.Context(), "Db1.Acme.Net"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	check(t, open, nil)
}

// sectionsSurvive: each section with all its fields, and what they merge into.
func sectionsSurvive(t *testing.T, open Opener) {
	sections := map[registry.Source]*registry.Section{}
	for i, source := range []registry.Source{registry.Daemon, registry.PuppetFacts, registry.Catalog, registry.Report, registry.Import, registry.Trusted} {
		at := start.Add(time.Duration(i) * time.Millisecond)
		sections[source] = &registry.Section{
			Facts:       map[string]any{"shared": string(source), "own_" + string(source): int64(i)},
			Classes:     []string{"Base", "from::" + string(source)},
			Agents:      []string{"rpcutil"},
			Collectives: []string{"eu", "mcollective"},
			Interval:    time.Duration(i) * time.Minute,
			Auth:        "forwarder puppet" + fmt.Sprint(i),
			Sequence:    1<<64 - 1 - uint64(i),
			Sent:        at.Add(-time.Second),
			Received:    at,
			Changed:     at.Add(-time.Hour),
			Hash:        fmt.Sprint("hash", i),
			Warnings:    []string{"the node's clock is 2h ahead"},
		}
	}
	n := registry.NewNode("sections", start, sections)
	roundTrip(t, open, n)
	roundTrip(t, open, registry.NewNode("sections", start, map[registry.Source]*registry.Section{}))
}

// overtakenBeats: beats from before what is stored change nothing, those of its
// own time and later do. In the same instant the sequence decides.
func overtakenBeats(t *testing.T, open Opener) {
	n := node("touched", map[string]any{"a": "b"})
	const first = 1 << 62
	for i, c := range []struct {
		after    time.Duration
		sequence uint64
		counts   bool
	}{
		{-time.Minute, first, false}, {0, first + 1, true}, {time.Minute, first + 3, true},
		{time.Second, first + 2, false}, {time.Minute, first + 2, false},
	} {
		beat := registry.Beat{Identity: n.Identity, Source: registry.Daemon, Sequence: c.sequence, Received: start.Add(c.after)}
		s := open(t)
		if i == 0 {
			put(t, s, n)
		}
		if err := s.Touch(t.Context(), beat); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if c.counts {
			n = n.Touched(beat)
		}
		check(t, open, []registry.Node{n})
	}
	if got := n.Sections[registry.Daemon]; !got.Received.Equal(start.Add(time.Minute)) || got.Sequence != first+3 {
		t.Errorf("the section is of %v with sequence %d, want the latest beat's", got.Received, got.Sequence)
	}
}

// storeIsAMap compares a store with a map, over random changes and reopenings.
func storeIsAMap(t *testing.T, open Opener, o Options) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	steps, most := o.Steps, o.Nodes
	if steps == 0 {
		steps = 300
	}
	if most == 0 {
		most = 40
	}
	model := map[string]registry.Node{}
	s := open(t)
	for step := range steps {
		switch id := registry.Identity(fmt.Sprintf("Node%d.example", random.IntN(most))); random.IntN(10) {
		case 0:
			if err := s.Delete(t.Context(), id, "nobody"); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			delete(model, id.Key())
		case 1, 2, 3:
			beat := registry.Beat{
				Identity: id, Source: registry.Daemon, Sequence: uint64(step) + 1,
				Sent: start, Received: start.Add(time.Duration(step+1) * time.Second),
			}
			if err := s.Touch(t.Context(), beat); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if n, ok := model[id.Key()]; ok {
				model[id.Key()] = n.Touched(beat)
			}
		case 4:
			closeStore(t, s)
			check(t, open, slices.Collect(maps.Values(model)))
			s = open(t)
		default:
			n := randomNode(random, id, start.Add(time.Duration(step)*time.Second))
			put(t, s, n)
			model[id.Key()] = n
		}
	}
	closeStore(t, s)
	check(t, open, slices.Collect(maps.Values(model)))
}

func concurrentPuts(t *testing.T, open Opener, o Options) {
	const writers = 8
	each := 25
	if o.Nodes > 0 {
		each = max(1, o.Nodes/writers)
	}
	var mu sync.Mutex
	var want []registry.Node
	s := open(t)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				n := node(fmt.Sprintf("w%d-%d", w, i), map[string]any{"i": int64(i)})
				if err := s.Put(t.Context(), n); err != nil {
					t.Errorf("putting %s: %v", n.Identity, err)
					return
				}
				mu.Lock()
				want = append(want, n)
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	closeStore(t, s)
	check(t, open, want)
}

// cancelledPut: a put that was given up says so, and the store goes on.
func cancelledPut(t *testing.T, open Opener) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, node("given-up", nil)); err == nil {
		t.Error("a put with a context that is done succeeded")
	}
	n := node("kept", nil)
	put(t, s, n)
	if err := s.Delete(t.Context(), "given-up"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	check(t, open, []registry.Node{n})
}

func roundTrip(t *testing.T, open Opener, n registry.Node) {
	t.Helper()
	s := open(t)
	put(t, s, n)
	closeStore(t, s)
	check(t, open, []registry.Node{n})
}

func put(t *testing.T, s registry.Store, n registry.Node) {
	t.Helper()
	if err := s.Put(t.Context(), n); err != nil {
		t.Fatalf("putting %s: %v", n.Identity, err)
	}
}

func closeStore(t *testing.T, s registry.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

// check opens a store and compares what it holds with want, byte for byte.
func check(t *testing.T, open Opener, want []registry.Node) {
	t.Helper()
	s := open(t)
	defer closeStore(t, s)
	got := map[string]string{}
	err := s.Load(t.Context(), func(n registry.Node) error {
		if _, twice := got[n.Identity.Key()]; twice {
			t.Errorf("%s was loaded twice", n.Identity)
		}
		got[n.Identity.Key()] = whole(&n)
		return nil
	})
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	for i := range want {
		key, w := want[i].Identity.Key(), whole(&want[i])
		if got[key] != w {
			g, w := difference(got[key], w)
			t.Errorf("node %s\n got …%s\nwant …%s", key, g, w)
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("node %s is in the store and should not be", key)
	}
}

// whole is everything about a node, as text.
func whole(n *registry.Node) string {
	return string(registry.AppendNode(append(registry.AppendRecord(nil, n), '\n'), n))
}

// difference cuts two texts to where they begin to differ.
func difference(a, b string) (string, string) {
	const before, length = 60, 300
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	i = max(0, i-before)
	return a[i:min(len(a), i+length)], b[i:min(len(b), i+length)]
}
