package registry_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
)

// TestManyAtOnce: nodes that register, moved, changed or as before, while others
// ask. Whoever has registered something finds it at once, and no node is ever
// seen half old and half new. It is for the race detector above all.
func TestManyAtOnce(t *testing.T) {
	now := time.Now()
	r := open(t, nil, &now)
	const nodes, rounds = 8, 60
	q, err := query.Parse("nq:exists turn | select turn, count() | group by turn", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range nodes {
		writers.Go(func() {
			for i := range rounds {
				turn := int64(i / 3)
				body, err := json.Marshal(map[string]any{
					"facts": map[string]any{"turn": turn, "twin": turn, "uptime": i, "memory": map[string]any{"system": map[string]any{"used": i, "total": "8 GiB"}}},
				})
				if err != nil {
					t.Error(err)
					return
				}
				reg := registry.Registration{Identity: fmt.Sprint("n", w), Sequence: uint64(time.Now().UnixNano()), Body: body}
				_, known, err := r.Repeated(t.Context(), reg)
				if err == nil && !known {
					var all registry.Registration
					if all, err = registry.DecodeRegistration(body); err == nil {
						reg.Facts = all.Facts
						_, err = r.Register(t.Context(), reg)
					}
				}
				if err != nil {
					t.Error(err)
				}
				n, _ := r.Node(reg.Identity)
				if n.Facts["uptime"] != int64(i) || n.Facts["turn"] != turn {
					t.Errorf("%s says %v after %d", reg.Identity, n.Facts, i)
				}
				if a, err := r.Histogram(t.Context(), registry.Discovery{}, "uptime"); err != nil || len(a.Counts) == 0 {
					t.Errorf("no uptime is known: %v", err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				a, err := r.Find(t.Context(), registry.Discovery{Query: &query.Query{Filter: q.Filter}})
				if err != nil {
					t.Error(err)
				}
				for _, found := range a.Nodes {
					if n := found.Node(); n.Facts["turn"] != n.Facts["twin"] {
						t.Errorf("%s is half at %v and half at %v", n.Identity, n.Facts["turn"], n.Facts["twin"])
					}
				}
				if _, err := r.Rows(t.Context(), registry.Discovery{Query: q}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
