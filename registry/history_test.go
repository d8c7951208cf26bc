package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/query"
	"muster/registry"
)

// history is what happened to a node, or to all, one event a line.
func history(t *testing.T, r *registry.Registry, id string, from, to time.Time) string {
	t.Helper()
	var out strings.Builder
	last := uint64(0)
	err := r.History(t.Context(), id, from, to, func(e registry.Event) error {
		if e.ID <= last {
			t.Errorf("event %d comes after %d", e.ID, last)
		}
		last = e.ID
		fmt.Fprintf(&out, "%s %s %s%s\n", e.At.Format("15:04"), e.Identity, e.Kind, changesText(e.Changes))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func changesText(changes []registry.Change) string {
	var out strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&out, " %s:%s>%s", c.Path, c.Old, c.New)
	}
	return out.String()
}

func TestHistory(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	steps := []registry.Registration{
		{Classes: []string{"a", "b"}, Facts: map[string]any{"os": map[string]any{"name": "Debian", "release": "11"}, "x.y": nil, "n": int64(1), "l": []any{"a"}, "uptime": "1"}},
		{Classes: []string{"a", "b"}, Facts: map[string]any{"os": map[string]any{"name": "Debian", "release": "12"}, "x.y": nil, "n": int64(1), "l": []any{"a"}, "uptime": "2"}},
		{Classes: []string{"b", "c"}, Agents: []string{"puppet"}, Facts: map[string]any{"os": map[string]any{"name": "Debian", "release": "12", "family": "x"}, "x.y": "z", "n": 1.0, "l": []any{"a", "b"}, "uptime": "2"}},
		{Classes: []string{"b", "c"}, Agents: []string{"puppet"}, Collectives: []string{"eu"}, Facts: map[string]any{"os": "text", "n": 1.0, "l": []any{"a", "b"}, "uptime": "3"}},
		{Classes: []string{"b", "c"}, Agents: []string{"puppet"}, Collectives: []string{"eu"}, Facts: map[string]any{"os": "text", "n": 1.0, "l": []any{"a", "b"}, "uptime": "4"}},
	}
	for _, reg := range steps {
		reg.Identity = "DB1"
		register(t, r, reg)
		now = now.Add(time.Minute)
	}
	register(t, r, registry.Registration{Identity: "db2"})
	want := `12:00 DB1 new
12:01 DB1 changed os.release:"11">"12"
12:02 DB1 changed "x.y":null>"z" l:["a"]>["a","b"] n:1>1.0 os.family:>"x" classes:"a"> classes:>"c" agents:>"puppet"
12:03 DB1 changed "x.y":"z"> os:{"family":"x","name":"Debian","release":"12"}>"text" collectives:"mcollective"> collectives:>"eu"
`
	if got := history(t, r, "db1", time.Time{}, time.Time{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := history(t, r, "db1", noon.Add(time.Minute), noon.Add(2*time.Minute)); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, "12:01") {
		t.Errorf("between 12:01 and 12:02:\n%s", got)
	}
	if got := history(t, r, "", time.Time{}, time.Time{}); got != want+"12:05 db2 new\n" {
		t.Errorf("of all:\n%s", got)
	}

	changes, since, err := r.Diff(t.Context(), "db1", noon.Add(90*time.Second))
	if got := changesText(changes); err != nil || !since.Equal(noon.Add(90*time.Second)) || !strings.HasPrefix(got, ` "x.y":null> l:["a"]>["a","b"] n:1>1.0 os.family:>"x" classes:"a">`) {
		t.Errorf("difference since %v: %s, %v", since, got, err)
	}
	if changes, since, err = r.Diff(t.Context(), "db1", noon.Add(-time.Hour)); err != nil || !since.Equal(noon) || !strings.Contains(changesText(changes), `os.release:"11">"12"`) {
		t.Errorf("from before it was there: since %v, %s, %v", since, changesText(changes), err)
	}
	if _, _, err = r.Diff(t.Context(), "nobody", noon); !errors.Is(err, registry.ErrNoNode) {
		t.Errorf("of nobody: %v", err)
	}
	a, _ := r.Node("db1")
	b, _ := r.Node("db2")
	if got := changesText(r.DiffNodes(&a, &b)); !strings.Contains(got, ` n:1.0> os:"text"> classes:"b">`) || strings.Contains(got, "uptime") {
		t.Errorf("difference of two nodes: %s", got)
	}
}

// TestChangedIsAsked of the history: by path, what lies below and above it,
// and by age.
func TestChangedIsAsked(t *testing.T) {
	now := noon
	store := &registry.MemoryStore{}
	r := open(t, store, &now)
	say := func(id string, facts map[string]any, classes ...string) {
		register(t, r, registry.Registration{Identity: id, Facts: facts, Classes: classes, Interval: 30 * 24 * time.Hour})
	}
	osFact := func(release, name string) map[string]any {
		return map[string]any{"os": map[string]any{"release": map[string]any{"full": release}, "name": name}, "a.b": release}
	}
	for _, id := range []string{"db1", "db2", "db3", "db4"} {
		say(id, osFact("1", "x"))
	}
	now = now.Add(24 * time.Hour)
	say("db1", osFact("2", "x"))
	say("db2", osFact("1", "y"))
	say("db3", map[string]any{"os": "text", "a.b": "1"})
	now = now.Add(24 * time.Hour)
	say("db4", osFact("1", "x"), "web")
	say("new", osFact("9", "z"))
	for q, want := range map[string]string{
		"changed os.release within 2d":                   "db1 db3",
		"changed os.release.full within 2d":              "db1 db3",
		"changed os within 2d":                           "db1 db2 db3",
		"changed os.*.full within 2d":                    "db1 db2 db3",
		"changed os within 1h":                           "",
		"changed a.b within 2d":                          "db1",
		"changed a within 2d":                            "",
		"changed class within 1h":                        "db4",
		"not changed os within 2d":                       "db4 new",
		"changed os within 2d and os.release.full = 2":   "db1",
		"identity in { changed os.name within 2d }":      "db2 db3",
		"changed os within 10d or changed os within 11d": "db1 db2 db3",
	} {
		if a := find(t, r, q, registry.Discovery{}); a.String() != want {
			t.Errorf("%s: %q, want %q", q, a.String(), want)
		}
	}
	q, err := query.Parse("changed os within 2d", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bare := open(t, struct{ registry.Store }{&registry.MemoryStore{}}, &now)
	if _, err := bare.Find(t.Context(), registry.Discovery{Query: q}); err == nil || !strings.Contains(err.Error(), "keeps no history") {
		t.Errorf("of a store without a history: %v", err)
	}
	if err := bare.History(t.Context(), "db1", time.Time{}, time.Time{}, nil); !errors.Is(err, registry.ErrNoHistory) {
		t.Errorf("history of a store without: %v", err)
	}
}

// TestHistoryTellsOfStates, of being forgotten and of returning.
func TestHistoryTellsOfStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		say := func() { register(t, r, registry.Registration{Identity: "db1", Interval: 10 * time.Minute}) }
		say()
		time.Sleep(time.Hour)
		say()
		if err := r.Deactivate(t.Context(), "db1", "anna"); err != nil {
			t.Fatal(err)
		}
		if err := r.Reactivate(t.Context(), "db1", "anna"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * 24 * time.Hour)
		say()
		want := `00:00 db1 new
00:35 db1 changed state:"active">"stale"
01:00 db1 changed state:"stale">"active"
01:00 db1 changed state:"active">"deactivated"
01:00 db1 changed state:"deactivated">"active"
01:35 db1 changed state:"active">"stale"
01:05 db1 changed state:"stale">"expired"
01:05 db1 gone
01:00 db1 new
`
		if got := history(t, r, "db1", time.Time{}, time.Time{}); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// TestHistoryIsBounded: by event, by node and day, by age and by size.
func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := registry.Open(t.Context(), registry.Config{Retention: registry.Retention{Age: 48 * time.Hour, Bytes: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, r)
		kept, more, events := 0, 0, 0
		count := func(e registry.Event) error {
			kept, more, events = kept+len(e.Changes), more+e.More, events+1
			return nil
		}
		for round := range 20 { // names that never repeat
			facts := map[string]any{}
			for i := range 600 {
				facts[fmt.Sprint("veth", round, "_", i)] = "x"
			}
			register(t, r, registry.Registration{Identity: "noisy", Facts: facts})
		}
		if err := r.History(t.Context(), "noisy", time.Time{}, time.Time{}, count); err != nil {
			t.Fatal(err)
		}
		if kept != 5000 || kept+more != 19*1200 || events != 20 {
			t.Errorf("%d changes kept and %d counted in %d events; want 5000 of %d in 20", kept, more, events, 19*1200)
		}
		for i := range 30 {
			register(t, r, registry.Registration{Identity: fmt.Sprint("long", i%3), Facts: map[string]any{"v": strings.Repeat(fmt.Sprint(i%10), 60_000)}})
		}
		if got := history(t, r, "long1", time.Time{}, time.Time{}); !strings.Contains(got, "(60002 bytes)") || len(got) > 4000 {
			t.Errorf("long values are kept: %.500s", got)
		}
		time.Sleep(49 * time.Hour)
		if got := history(t, r, "noisy", time.Time{}, time.Time{}); strings.Contains(got, "veth") {
			t.Errorf("after two days there still is %.300s", got)
		}
	})
}
