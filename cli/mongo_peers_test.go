//go:build peers && unix

package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"muster/registry/mongostore/ferrettest"
)

// TestTwoOnMongoDB: two registries, each a process, on one broker and one
// database. One is killed, and knows after its restart what it missed; what both
// heard was recorded once. Then one that keeps no nodes itself answers alike.
func TestTwoOnMongoDB(t *testing.T) {
	store := "store: " + ferrettest.Start(t)
	w := &twins{dir: [2]string{t.TempDir(), t.TempDir()}, broker: serveAnyone(t), serve: store}
	for i := range w.url {
		w.url[i] = "https://" + freePort(t)
	}
	w.start(t, 0)
	w.share(t)
	w.start(t, 1)

	const fleet = 6 // FerretDB takes its time
	w.register(t, 0, fleet, "first")
	for i := range w.url {
		w.await(t, i, "turn=first", fleet)
	}
	w.kill(t, 1)
	w.register(t, fleet, fleet+2, "missed")
	w.register(t, 3, 4, "changed")
	w.start(t, 1)
	alike := func() {
		t.Helper()
		for question, want := range map[string]int{"turn=first": fleet - 1, "turn=missed": 2, "turn=changed": 1, "not turn=first": 3} {
			for i := range w.url {
				if names := w.search(t, w.client(t, i), question); len(names) != want {
					t.Errorf("%s at %d: %q, want %d nodes", question, i, names, want)
				}
			}
		}
	}
	alike()
	var both [2]struct{ Events []map[string]any }
	for i := range both {
		if err := w.client(t, i).do(t.Context(), http.MethodGet, "/v1/nodes/node3/history", nil, &both[i]); err != nil {
			t.Error(err)
		}
	}
	said := fmt.Sprint(both[0])
	if said != fmt.Sprint(both[1]) || strings.Count(said, "kind:new") != 1 || strings.Count(said, "path:turn") != 1 {
		t.Errorf("the history of the changed node is %s and %v, want one and the same, in which it is new once and changes once", said, both[1])
	}

	w.kill(t, 1)
	w.serve = store + "\n  engine: store"
	w.start(t, 1)
	alike()
	w.register(t, 0, 1, "again")
	for i := range w.url {
		w.await(t, i, "turn=again", 1)
	}
	if err := w.client(t, 1).do(t.Context(), http.MethodGet, "/v1/facts", nil, &struct{}{}); err == nil {
		t.Error("a registry without nodes in memory lists all facts")
	}
	if t.Failed() {
		w.kill(t, 0)
		w.kill(t, 1)
		t.Logf("one logged\n%s\nthe other\n%s", w.log[0], w.log[1])
	}
}
