package registry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
)

func find(t testing.TB, r *registry.Registry, text string, d registry.Discovery) registry.Answer {
	t.Helper()
	q, err := query.Parse(text, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.Query = q
	a, err := r.Find(t.Context(), d)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

// TestStates: by age against the node's own interval; readers get the living.
func TestStates(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "quick", Interval: time.Minute})
	register(t, r, registry.Registration{Identity: "slow", Interval: 24 * time.Hour})
	register(t, r, registry.Registration{Identity: "untold"})
	register(t, r, registry.Registration{Identity: "brought", Source: registry.Import, Seen: noon.Add(-30 * 24 * time.Hour)})
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "brought=expired quick=active slow=active untold=active"},
		{3*time.Minute - 1, "brought=expired quick=active slow=active untold=active"},
		{3 * time.Minute, "brought=expired quick=stale slow=active untold=active"},
		{3 * time.Hour, "brought=expired quick=stale slow=active untold=stale"},
		{72 * time.Hour, "brought=expired quick=stale slow=stale untold=stale"},
		{7 * 24 * time.Hour, "brought=expired quick=expired slow=expired untold=expired"},
		{-time.Hour, "brought=expired quick=active slow=active untold=active"},
	} {
		now = noon.Add(c.after)
		a := find(t, r, "identity=/./", registry.Discovery{States: anyState(t)})
		var got []string
		for i := range a.Nodes {
			got = append(got, fmt.Sprintf("%s=%s", a.Nodes[i].Identity, a.Nodes[i].State))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %v: %s\nwant %s", c.after, got, c.want)
		}
	}
	now = noon.Add(4 * time.Minute)
	for states, want := range map[string]string{
		"": "quick slow untold", "live": "quick slow untold", "active": "slow untold", "stale": "quick",
		"expired": "brought", "any": "brought quick slow untold", "deactivated": "",
	} {
		list, err := registry.ParseStates(states)
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.Find(t.Context(), registry.Discovery{States: list})
		if err != nil || a.String() != want {
			t.Errorf("in state %q: %v, %v; want %s", states, a.String(), err, want)
		}
	}
	if _, err := registry.ParseStates("dead"); err == nil || !strings.Contains(err.Error(), "active, stale, expired") {
		t.Errorf("ParseStates: %v; want the states there are", err)
	}
	a, err := r.Find(t.Context(), registry.Discovery{})
	if err != nil || a.String() != "quick slow untold" {
		t.Errorf("without states: %v, %v; want the living", a.String(), err)
	}
}

func TestDiscovery(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i, name := range []string{"c", "A", "b", "d"} {
		collectives := []string{"eu"}
		if name == "d" {
			collectives = nil
		}
		now = noon.Add(time.Duration(i) * time.Second)
		register(t, r, registry.Registration{Identity: name, Collectives: collectives, Facts: map[string]any{"rank": int64(10 - i), "odd": i%2 == 1}})
	}
	for _, c := range []struct {
		name, want string
		d          registry.Discovery
		count      int
		oldest     int // seconds after noon
	}{
		{"all", "A b c d", registry.Discovery{}, 4, 0},
		{"a collective", "A b c", registry.Discovery{Collectives: []string{"eu"}}, 3, 0},
		{"the main collective", "d", registry.Discovery{Collectives: []string{"mcollective"}}, 1, 3},
		{"collectives", "A b c d", registry.Discovery{Collectives: []string{"mcollective", "eu"}}, 4, 0},
		{"no such collective", "", registry.Discovery{Collectives: []string{"EU"}}, 0, 0},
		{"limit", "A b", registry.Discovery{Limit: 2}, 4, 1},
		{"sorted", "d b A c", registry.Discovery{Sort: "rank"}, 4, 0},
		{"sorted by facts.", "d b A c", registry.Discovery{Sort: "facts.rank"}, 4, 0},
		{"sorted, limited", "d b", registry.Discovery{Sort: "rank", Limit: 2}, 4, 2},
		{"sorted by two values", "b c A d", registry.Discovery{Sort: "odd"}, 4, 0},
		{"sorted by nothing", "A b c d", registry.Discovery{Sort: "nothing"}, 4, 0},
		{"sorted by age", "c A b d", registry.Discovery{Sort: "lastseen"}, 4, 0},
	} {
		a, err := r.Find(t.Context(), c.d)
		if err != nil {
			t.Fatal(err)
		}
		if a.String() != c.want || a.Count != c.count || a.Complete != (len(a.Nodes) == c.count) {
			t.Errorf("%s: %s, count %d, complete %v; want %s of %d", c.name, a.String(), a.Count, a.Complete, c.want, c.count)
		}
		if c.want != "" && !a.Oldest.Equal(noon.Add(time.Duration(c.oldest)*time.Second)) {
			t.Errorf("%s: oldest %v, want %d s after noon", c.name, a.Oldest, c.oldest)
		}
	}
}

// TestFindStopsWhenTimeIsUp: an error, never a short answer.
func TestFindStopsWhenTimeIsUp(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "db1"})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the asker left"))
	if a, err := r.Find(ctx, registry.Discovery{}); err == nil || !strings.Contains(err.Error(), "the asker left") {
		t.Errorf("got %+v, %v; want an error with the cause", a, err)
	}
}

// TestReadYourWrites: what was acknowledged is in every later answer, while
// others write and read.
func TestReadYourWrites(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	q, err := query.Parse("turn=9", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 100 {
				turn := int64(i % 10)
				reg := registry.Registration{Identity: fmt.Sprintf("w%d", w), Facts: map[string]any{"turn": turn}}
				if _, err := r.Register(t.Context(), reg); err != nil {
					t.Error(err)
				}
				a, err := r.Find(t.Context(), registry.Discovery{Query: q})
				if err != nil {
					t.Error(err)
				}
				if mine := slices.Contains(a.Names(), reg.Identity); mine != (turn == 9) {
					t.Errorf("turn %d: in the answer %v", turn, mine)
				}
				if _, err := r.Names(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestNames(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	register(t, r, registry.Registration{Identity: "a", Classes: []string{"web"}, Agents: []string{"puppet"}, Facts: map[string]any{
		"os": map[string]any{"name": "Debian"}, "disks": []any{map[string]any{"size": int64(1)}, map[string]any{"size": int64(2)}}}})
	register(t, r, registry.Registration{Identity: "b", Classes: []string{"web", "db"}, Facts: map[string]any{"os": "old"}})
	names, err := r.Names()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(names)
	want := "{[{disks 1} {disks.size 1} {os 2} {os.name 1}] [{db 1} {web 2}] [{puppet 1}] [{mcollective 2}]}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNamesAreThoseInUse: after any changes they are what a registry knows
// that loads the outcome.
func TestNamesAreThoseInUse(t *testing.T) {
	now := noon
	store := &registry.MemoryStore{}
	r := open(t, store, &now)
	random := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		facts := map[string]any{}
		for range random.IntN(4) {
			facts[fmt.Sprint("f", random.IntN(6))] = []any{"text", map[string]any{"x": int64(1)}, []any{map[string]any{"x": int64(1), "y": true}, map[string]any{"y": nil}}}[random.IntN(3)]
		}
		register(t, r, registry.Registration{
			Identity: fmt.Sprint("n", random.IntN(8)), Facts: facts,
			Classes: []string{fmt.Sprint("c", random.IntN(4))}, Collectives: []string{fmt.Sprint("k", random.IntN(3))},
		})
	}
	got, err := r.Names()
	if err != nil {
		t.Fatal(err)
	}
	want, err := open(t, store, &now).Names()
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(got.Facts) == 0 {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestFindWarns of names that no node has, with the nearest one.
func TestFindWarns(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	if a := find(t, r, "custmer=acme", registry.Discovery{}); len(a.Warnings) != 0 {
		t.Errorf("an empty registry warns: %q", a.Warnings)
	}
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{"customer": "acme", "size": "large"}, Classes: []string{"web"}})
	for text, want := range map[string]string{
		"custmer=acme":  "did you mean customer (1 node)?",
		"not wbe":       "did you mean web (1 node)?",
		"size > 7":      "text is neither above nor below",
		"customer=acme": "",
	} {
		a := find(t, r, text, registry.Discovery{})
		if got := strings.Join(a.Warnings, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: warnings %q, want %q", text, got, want)
		}
	}
}

// TestRows: subqueries, columns, groups and samples, through the registry.
func TestRows(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i, os := range []string{"Debian", "Debian", "CentOS", "Debian"} {
		register(t, r, registry.Registration{
			Identity: fmt.Sprint("n", i), Collectives: []string{[]string{"eu", "us"}[i%2]},
			Facts: map[string]any{"os": os, "size": int64(i), "next": fmt.Sprint("n", (i+1)%4)},
		})
	}
	for _, c := range []struct {
		dialect query.Dialect
		text    string
		d       registry.Discovery
		want    string
	}{
		{"pql", `inventory[certname, facts.os] { facts.size > 1 order by certname desc }`, registry.Discovery{}, "[[n3 Debian] [n2 CentOS]]"},
		{"pql", `inventory[facts.os, count()] { group by facts.os order by facts.os }`, registry.Discovery{}, "[[CentOS 1] [Debian 3]]"},
		{"pql", `inventory[facts.os, count()] { group by facts.os order by facts.os }`, registry.Discovery{Collectives: []string{"eu"}}, "[[CentOS 1] [Debian 1]]"},
		{"pql", `inventory[certname] { certname in inventory[facts.next] { facts.os = "CentOS" } }`, registry.Discovery{}, "[[n3]]"},
		{"pql", `inventory[certname] { certname in facts[certname] { name = "size" and value < 2 } }`, registry.Discovery{}, "[[n0] [n1]]"},
	} {
		q, err := query.Parse(c.text, query.Options{Dialect: c.dialect})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		c.d.Query = q
		table, err := r.Rows(t.Context(), c.d)
		if err != nil || fmt.Sprint(table.Rows) != c.want {
			t.Errorf("%s: %v, %v\nwant %s", c.text, table.Rows, err, c.want)
		}
	}
}

func TestValue(t *testing.T) {
	n := registry.NewNode("db1", noon, map[registry.Source]*registry.Section{
		registry.Daemon: {Received: noon, Classes: []string{"web"}, Facts: map[string]any{
			"os": map[string]any{"name": "Debian", "a.b": "dotted"}, "os.name": "flat", "ips": []any{"x", "y"}, "no": nil}},
		registry.Trusted: {Facts: map[string]any{"role": "db"}},
	})
	for path, want := range map[string]any{
		"identity": "db1", "os.name": "flat", "facts.os.name": "flat", `os."name"`: "Debian", `os."a.b"`: "dotted",
		"ips.1": "y", "trusted.role": "db", "lastseen": noon, "no": nil,
	} {
		if got, ok := n.Value(path); !ok || got != want {
			t.Errorf("%s is %v, %v; want %v", path, got, ok, want)
		}
	}
	for _, path := range []string{"ips.2", "ips.-1", "os.name.x", "nothing", "trusted.nothing", ""} {
		if got, ok := n.Value(path); ok {
			t.Errorf("%q is %v, want nothing", path, got)
		}
	}
	if classes, _ := n.Value("classes"); fmt.Sprint(classes) != "[web]" {
		t.Errorf("classes are %v", classes)
	}
}
