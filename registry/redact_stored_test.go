package registry_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/registry"
	"muster/registry/boltstore"
)

// TestWhatWasStoredIsRedacted: once a rule holds, nothing shows a secret that was
// stored before: no node, history, backup or search, from the first answer on and
// after the next start.
func TestWhatWasStoredIsRedacted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodes.db")
	opened := func(rules registry.Redaction) *registry.Registry {
		store, err := boltstore.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), registry.Config{Store: store, Redact: rules, Now: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	r := opened(registry.Redaction{})
	for i := range 20 {
		for _, pin := range []string{"canary-1", "canary-2"} {
			facts := map[string]any{"door": map[string]any{"pin": pin}, "os": fmt.Sprint("Debian", i)}
			register(t, r, registry.Registration{Identity: fmt.Sprint("n", i), Auth: "cert", Facts: facts})
		}
	}
	trace := func(r *registry.Registry) (all string) {
		var packed, text bytes.Buffer
		if err := r.Backup(t.Context(), &packed); err != nil {
			t.Fatal(err)
		}
		lines, err := gzip.NewReader(&packed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := text.ReadFrom(lines); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			n, ok := r.Node(fmt.Sprint("n", i))
			if !ok {
				t.Fatalf("n%d is gone", i)
			}
			text.Write(registry.AppendNode(nil, &n))
		}
		values, err := r.Histogram(t.Context(), registry.Discovery{}, "door.pin")
		if err != nil {
			t.Fatal(err)
		}
		return text.String() + fmt.Sprint(values)
	}
	if !strings.Contains(trace(r), "canary-1") || !strings.Contains(trace(r), "canary-2") {
		t.Fatal("without a rule nothing is shown")
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r = opened(registry.Redaction{Names: []string{"pin"}})
		if all := trace(r); strings.Contains(all, "canary") || !strings.Contains(all, "Debian7") {
			t.Fatalf("what was stored shows: %s", all)
		}
	}
}
