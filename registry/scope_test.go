package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
)

func TestSightOfFacts(t *testing.T) {
	facts := map[string]any{
		"os": map[string]any{"family": "Debian", "release": map[string]any{"major": "12"}}, "customer": "acme", "a.b": "flat",
		"net":   map[string]any{"eth0": map[string]any{"ip": "1", "mac": "2"}, "eth1": map[string]any{"ip": "3"}},
		"disks": []any{map[string]any{"name": "sda", "serial": "s"}, "x"},
	}
	for _, test := range []struct{ patterns, want string }{
		{"", `{"a.b":"flat","customer":"acme","disks":[{"name":"sda","serial":"s"},"x"],"net":{"eth0":{"ip":"1","mac":"2"},"eth1":{"ip":"3"}},"os":{"family":"Debian","release":{"major":"12"}}}`},
		{"customer", `{"customer":"acme"}`},
		{"facts.customer,nothing", `{"customer":"acme"}`},
		{"os", `{"os":{"family":"Debian","release":{"major":"12"}}}`},
		{"os.release", `{"os":{"release":{"major":"12"}}}`},
		{"os.release.major.more", `{}`},
		{"net.*.ip", `{"net":{"eth0":{"ip":"1"},"eth1":{"ip":"3"}}}`},
		{"*.family,a.b", `{"a.b":"flat","os":{"family":"Debian"}}`},
		{"disks.name", `{"disks":[{"name":"sda"},null]}`},
		{"trusted.customer", `{}`},
	} {
		scope := registry.Scope{}
		if test.patterns != "" {
			scope.Facts = strings.Split(test.patterns, ",")
		}
		sight, err := scope.Sight()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := sight.Of(registry.Node{Facts: facts})
		if got := string(registry.AppendJSON(nil, n.Facts)); got != test.want {
			t.Errorf("%s shows\n%s\nwant\n%s", test.patterns, got, test.want)
		}
	}
	for _, pattern := range []string{"", "a..b", "trusted.", "."} {
		if _, err := (registry.Scope{Facts: []string{pattern}}).Sight(); err == nil {
			t.Errorf("the pattern %q was taken", pattern)
		}
	}
}

// A query that is said to ask for nothing hidden answers alike over whole nodes
// and over what may be seen of them.
func TestSightOfQueries(t *testing.T) {
	patterns := []string{"a", "b", "a.x", "b.y", "c.*.x", "*.z", "trusted.a", "a.b"}
	texts := []string{
		"a=1", "not a=1", "a.x=1", "b.y=2", "c.p.x=1", "c.*.x=1", "a.z=1", "a.b=1", "any c {x = 1}", "exists(b)", "trusted.a=1", "not trusted.b=1",
		"a.x=1 and not b.y=2", "contents = 1", "facts.a = 1", `"a.b"=1`, "count(c) > 1", "l.0=1", "l.0.x = 1", "identity = n1",
	}
	value := rapid.Custom(func(t *rapid.T) any { return rapid.SampledFrom([]any{int64(1), int64(2), "1", nil}).Draw(t, "scalar") })
	object := func(t *rapid.T) any {
		m := map[string]any{}
		for _, k := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"x", "y", "z", "b"}), rapid.ID[string]).Draw(t, "keys") {
			m[k] = value.Draw(t, k)
		}
		return m
	}
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		facts := map[string]any{"a.b": value.Draw(t, "flat"), "l": []any{value.Draw(t, "element"), object(t)}}
		for _, k := range []string{"a", "b"} {
			if facts[k] = value.Draw(t, k); rapid.Bool().Draw(t, "object") {
				facts[k] = object(t)
			}
		}
		facts["c"] = map[string]any{"p": object(t), "q": object(t)}
		node := registry.Node{Identity: "n1", State: registry.Active, Facts: facts, Trusted: map[string]any{"a": value.Draw(t, "ta"), "b": value.Draw(t, "tb")}}
		scope := registry.Scope{Facts: rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 1, 3, rapid.ID[string]).Draw(t, "patterns")}
		sight, err := scope.Sight()
		if err != nil {
			t.Fatal(err)
		}
		text := rapid.SampledFrom(texts).Draw(t, "query")
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			return // not a query of this language
		}
		asked, ok := sight.Query(q)
		if !ok {
			return
		}
		seen++
		some, _ := sight.Of(node)
		whole, part := query.Matches(asked.Filter, node.Document(), noon), query.Matches(q.Filter, some.Document(), noon)
		if whole != part {
			t.Fatalf("%s with %v is %t of %s and %t of %s", text, scope.Facts, whole, registry.AppendJSON(nil, node.Facts), part, registry.AppendJSON(nil, some.Facts))
		}
	})
	if seen == 0 {
		t.Error("no query was looked at")
	}
}

// Among answers as the registry does.
func TestAmong(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i := range 40 {
		register(t, r, registry.Registration{
			Identity: fmt.Sprintf("n%02d", i), Collectives: []string{[]string{"eu", "us"}[i%2]}, Classes: []string{"base"},
			Facts: map[string]any{"i": int64(i), "mod": int64(i % 3), "of": fmt.Sprintf("n%02d", i/2)},
		})
	}
	all, err := r.Find(t.Context(), registry.Discovery{})
	if err != nil {
		t.Fatal(err)
	}
	among := registry.Among{Nodes: all.Nodes, Now: now}
	for _, d := range []registry.Discovery{
		{}, {Limit: 3}, {Sort: "of"}, {Collectives: []string{"eu"}}, {States: []registry.State{registry.Expired}},
	} {
		for _, text := range []string{"", "mod=1", "not mod=1", "i<10 | order by -i | limit 4", "i>=0 | sample 2 per mod", "of in {mod=1 and i<20 | select of}", "i>3 | group by mod"} {
			q, err := query.Parse(orAll(text), query.Options{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			d.Query = q
			want, err := r.Find(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := among.Find(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Names(), want.Names()) || got.Count != want.Count || got.Complete != want.Complete || !got.Oldest.Equal(want.Oldest) {
				t.Errorf("%s %+v: got %v, want %v", text, d, got.Names(), want.Names())
			}
			table, err := r.Rows(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			if rows, err := among.Rows(context.Background(), d); err != nil || fmt.Sprint(rows.Rows) != fmt.Sprint(table.Rows) {
				t.Errorf("%s: rows %v, want %v", text, rows.Rows, table.Rows)
			}
		}
	}
}

func orAll(text string) string {
	if text == "" {
		return "identity =~ /./"
	}
	return text
}
