package registry_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

// TestIntervalsAreLearntPerSource: each source has a pace of its own, and the
// most believed one's counts.
func TestIntervalsAreLearntPerSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		for i := range 24 { // two hours
			if i%6 == 0 {
				for _, id := range []string{"puppet", "both"} {
					register(t, r, registry.Registration{Identity: id, Source: registry.PuppetFacts, Auth: "forwarder puppet"})
				}
			}
			register(t, r, registry.Registration{Identity: "both", Auth: "cert"})
			time.Sleep(5 * time.Minute)
		}
		puppet, _ := r.Node("puppet")
		both, _ := r.Node("both")
		if puppet.Learnt.Round(time.Minute) != 30*time.Minute || both.Learnt.Round(time.Minute) != 5*time.Minute {
			t.Errorf("learnt %v and %v, want 30m and 5m", puppet.Learnt, both.Learnt)
		}
		if s := both.Sections[registry.PuppetFacts]; s.Learnt.Round(time.Minute) != 30*time.Minute {
			t.Errorf("of Puppet's facts of the node with both %v are learnt, want 30m", s.Learnt)
		}
		time.Sleep(25 * time.Minute)
		if state(r, "puppet") != registry.Active || state(r, "both") != registry.Stale {
			t.Errorf("half an hour later they are %s and %s, want active and stale", state(r, "puppet"), state(r, "both"))
		}
	})
}

// TestWhoReturnsKeepsTheHistory, be it from expiry, or from being forgotten.
func TestWhoReturnsKeepsTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		say := func(release string) {
			register(t, r, registry.Registration{Identity: "db1", Interval: time.Hour, Facts: map[string]any{"release": release}})
		}
		say("11")
		first := time.Now().UTC().Truncate(time.Millisecond)
		time.Sleep(10 * 24 * time.Hour)
		if got := state(r, "db1"); got != registry.Expired {
			t.Fatalf("after ten days it is %s", got)
		}
		say("12")
		n, _ := r.Node("db1")
		if n.State != registry.Active || !n.FirstSeen.Equal(first) {
			t.Errorf("it is %s, first seen %v; want %v", n.State, n.FirstSeen, first)
		}
		changes, _, err := r.Diff(t.Context(), "db1", time.Now().Add(-9*24*time.Hour))
		if err != nil || !slices.ContainsFunc(changes, func(c registry.Change) bool { return c.Path == "release" && string(c.Old) == `"11"` }) {
			t.Errorf("since nine days ago %v changed, %v", changes, err)
		}
		time.Sleep(15 * 24 * time.Hour)
		if got := state(r, "db1"); got != "gone" {
			t.Fatalf("after 15 days it is %s", got)
		}
		say("13")
		got := history(t, r, "db1", time.Time{}, time.Time{})
		for _, want := range []string{`release:"11">"12"`, "db1 gone", `state:"stale">"expired"`} {
			if !strings.Contains(got, want) {
				t.Errorf("its history is\n%s\nwant it to have %s", got, want)
			}
		}
	})
}

// TestEveryReaderSaysTheSame: one rule decides a node's state, for whoever asks
// in whatever way.
func TestEveryReaderSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		r, err := registry.Open(context.Background(), registry.Config{
			TouchEvery: 24 * time.Hour, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
			Lifecycle: registry.Lifecycle{Collectives: map[string]registry.Rule{"patient": {StaleIntervals: 50}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minutes")) * time.Minute)
			id := fmt.Sprint("n", i)
			reg := registry.Registration{
				Identity: id, Collectives: []string{rapid.SampledFrom([]string{"plain", "patient"}).Draw(t, "collective")},
				Interval: time.Duration(rapid.IntRange(0, 1440).Draw(t, "interval")) * time.Minute,
			}
			if _, err := r.Register(context.Background(), reg); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 4).Draw(t, "deactivate") == 0 {
				if err := r.Deactivate(context.Background(), id, "anna"); err != nil {
					t.Fatal(err)
				}
			}
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "minutes later")) * time.Minute)
		every := []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}
		ask := func(text string, states ...registry.State) string {
			q, err := query.Parse(text, query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			a, err := r.Find(context.Background(), registry.Discovery{Query: q, States: states})
			if err != nil {
				t.Fatal(err)
			}
			return a.String()
		}
		all, err := r.Find(context.Background(), registry.Discovery{States: every})
		if err != nil {
			t.Fatal(err)
		}
		by := map[registry.State][]string{}
		for _, n := range all.Nodes {
			one, _ := r.Node(string(n.Identity))
			if one.State != n.State || n.Node().State != n.State {
				t.Fatalf("%s is %s by itself, and %s among all", n.Identity, one.State, n.State)
			}
			by[n.State] = append(by[n.State], string(n.Identity))
		}
		for _, state := range every {
			want := strings.Join(by[state], " ")
			if got := ask("exists identity", state); got != want {
				t.Fatalf("%s by the reader's wish: %s, want %s", state, got, want)
			}
			if got := ask("state="+string(state), every...); got != want {
				t.Fatalf("%s by the query: %s, want %s", state, got, want)
			}
			q, err := query.Parse("state="+string(state)+" | select identity, state", query.Options{})
			if err != nil {
				t.Fatal(err)
			}
			table, err := r.Rows(context.Background(), registry.Discovery{Query: q, States: every})
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, row := range table.Rows {
				names = append(names, fmt.Sprint(row[0]))
				if row[1] != string(state) {
					t.Fatalf("in rows %v is %v, want %s", row[0], row[1], state)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Fatalf("%s in rows: %s, want %s", state, got, want)
			}
		}
		live := slices.Sorted(slices.Values(slices.Concat(by[registry.Active], by[registry.Stale])))
		if got := ask("exists identity"); got != strings.Join(live, " ") {
			t.Fatalf("who does not say gets %s, want %v", got, live)
		}
	})
}
