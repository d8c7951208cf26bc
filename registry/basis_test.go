package registry_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

// said is an answer with all that it tells, as text.
func said(a registry.Answer) string {
	text := fmt.Sprint(a.Count, a.Complete, a.Oldest.UTC(), a.Warnings)
	for _, n := range a.Nodes {
		node := n.Node()
		text += fmt.Sprintf("\n%s %s %s", n.State, n.LastSeen.UTC(), registry.AppendRecord(nil, &node))
	}
	return text
}

var basisQuestions = []string{
	"customer=acme", "customer=acme and class=db", "not customer=acme", "uptime > 1", "os.family=Debian or class=web", "identity=/n1/", "facts.memory.used=1",
	"class=db", "keys(os)=family", "*.used=1", "state=stale", "lastseen < 30m", "customer=acme order by uptime limit 2", "any os {family=Debian}", "nosuchfact=1", "count(os) > 0",
	"sample 1 where customer=acme", "auth=cert", "agent=nrpe", "collective=eu",
}

// TestAnAnswerThatHoldsIsTheAnswer: whatever happens to nodes and time meanwhile,
// an answer whose basis holds is what would be found now.
func TestAnAnswerThatHoldsIsTheAnswer(t *testing.T) {
	held, fell := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		r, err := registry.Open(t.Context(), registry.Config{Now: func() time.Time { return now }, Lifecycle: registry.Lifecycle{FreezeShare: -1}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		kept := map[string]struct {
			basis *registry.Basis
			said  string
		}{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			basisStep(t, r, &now)
			for _, text := range basisQuestions {
				q, err := query.Parse(text, query.Options{})
				if err != nil {
					continue // not every version of the language has them all
				}
				d := registry.Discovery{Query: q, Basis: r.Basis()}
				if len(text)%3 == 0 {
					d.States, _ = registry.ParseStates("any")
				}
				if len(text)%5 == 0 {
					d.Collectives = []string{"eu", "mcollective"}
				}
				before, known := kept[text]
				holds := known && before.basis.Holds()
				found, err := r.Find(t.Context(), d)
				if err != nil {
					t.Fatal(text, err)
				}
				if holds {
					held++
					if got := said(found); got != before.said {
						t.Fatalf("%s held as\n%s\nbut is\n%s", text, before.said, got)
					}
					continue // for longer
				}
				fell++
				before.basis, before.said = d.Basis, said(found)
				kept[text] = before
			}
		}
	})
	if held < fell/20 {
		t.Errorf("%d answers held, and %d did not", held, fell)
	}
}

// basisStep has something happen.
func basisStep(t *rapid.T, r *registry.Registry, now *time.Time) {
	id := fmt.Sprint("n", rapid.IntRange(0, 4).Draw(t, "node"))
	few := rapid.IntRange(0, 2)
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		*now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 3 * time.Hour, 5 * 24 * time.Hour}).Draw(t, "later"))
	case 1:
		if err := r.Retire(t.Context(), id, "alice", *now); err != nil {
			return // there is none
		}
	default:
		*now = now.Add(time.Second)
		facts := fmt.Sprintf(`{"customer":%q,"uptime":%d,"memory":{"used":%d},"os":{"family":"Debian"}}`,
			rapid.SampledFrom([]string{"acme", "acme", "acme", "hooli"}).Draw(t, "customer"), few.Draw(t, "uptime"), few.Draw(t, "used"))
		classes := rapid.SampledFrom([]string{`["db"]`, `["db"]`, `["web"]`, `["db","web"]`}).Draw(t, "classes")
		body := []byte(fmt.Sprintf(`{"facts":%s,"classes":%s,"interval":600}`, facts, classes))
		reg, err := registry.DecodeRegistration(body)
		if err != nil {
			t.Fatal(err)
		}
		proven := registry.Registration{Identity: id, Auth: "cert", Body: body}
		if _, known, err := r.Repeated(t.Context(), proven); err != nil {
			t.Fatal(err)
		} else if known {
			return
		}
		reg.Identity, reg.Auth, reg.Body = id, "cert", body
		if _, err := r.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatAnAnswerRestsOn: which word of which node is minded by which question.
func TestWhatAnAnswerRestsOn(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	say := func(id, facts string) {
		t.Helper()
		body := []byte(`{"facts":` + facts + `,"classes":["db"]}`)
		proven := registry.Registration{Identity: id, Auth: "cert", Body: body}
		if _, known, err := r.Repeated(t.Context(), proven); known && err == nil {
			return
		}
		reg, err := registry.DecodeRegistration(body)
		if err != nil {
			t.Fatal(err)
		}
		reg.Identity, reg.Auth, reg.Body = id, "cert", body
		register(t, r, reg)
	}
	say("db1", `{"customer":"acme","uptime":1}`)
	say("db2", `{"customer":"hooli","uptime":1}`)
	for _, test := range []struct {
		what  string
		happs func()
		holds string // the questions whose answers hold
	}{
		{"nothing", func() {}, "customer=acme; uptime=1"},
		{"a second", func() { now = now.Add(time.Second) }, "customer=acme; uptime=1"},
		{"another is heard of", func() { say("db2", `{"customer":"hooli","uptime":1}`) }, "customer=acme"},
		{"a volatile fact of another moves", func() { say("db2", `{"customer":"hooli","uptime":2}`) }, "customer=acme"},
		{"one is heard of", func() { say("db1", `{"customer":"acme","uptime":1}`) }, ""},
		{"a volatile fact of one moves", func() { say("db1", `{"customer":"acme","uptime":3}`) }, ""},
		{"another changes", func() { say("db2", `{"customer":"acme","uptime":3}`) }, ""},
		{"one is new", func() { say("db3", `{"customer":"acme","uptime":3}`) }, ""},
		{"they grow stale", func() { now = now.Add(4 * time.Hour) }, ""},
	} {
		holds := ""
		bases := map[string]*registry.Basis{}
		for _, text := range []string{"customer=acme", "uptime=1"} {
			bases[text] = r.Basis()
			q, err := query.Parse(text, query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Find(t.Context(), registry.Discovery{Query: q, Basis: bases[text]}); err != nil {
				t.Fatal(err)
			}
		}
		test.happs()
		for _, text := range []string{"customer=acme", "uptime=1"} {
			if bases[text].Holds() {
				if holds != "" {
					holds += "; "
				}
				holds += text
			}
		}
		if holds != test.holds {
			t.Errorf("%s: what holds is %q, want %q", test.what, holds, test.holds)
		}
	}
	var none *registry.Basis
	if none.Holds() || r.Basis().Holds() {
		t.Error("nothing that was found holds")
	}
}

// TestAnAnswerFallsWithAState: to the second, whether or not anybody has looked at
// the states since.
func TestAnAnswerFallsWithAState(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "db1"})
	now = noon.Add(3*time.Hour - 2*time.Second) // stale after three hours
	b := r.Basis()
	q, err := query.Parse("identity=db1", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Find(t.Context(), registry.Discovery{Query: q, Basis: b}); err != nil {
		t.Fatal(err)
	}
	b = r.Basis() // the first may have found a clock that stood still for long
	a, err := r.Find(t.Context(), registry.Discovery{Query: q, Basis: b, States: []registry.State{registry.Active}})
	if err != nil || a.Count != 1 {
		t.Fatalf("%d nodes, %v", a.Count, err)
	}
	if now = now.Add(time.Second); !b.Holds() {
		t.Error("the answer fell too early")
	}
	if now = now.Add(time.Second); b.Holds() {
		t.Error("the answer holds although the node is stale")
	}
}
