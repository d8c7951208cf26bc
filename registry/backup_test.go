package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/registry"
)

// TestBackupAndRestore: into an empty registry everything comes back, into one
// that went on only what it has not.
func TestBackupAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := living(t, nil, registry.Lifecycle{})
		defer shut(t, r)
		for i := range 30 {
			register(t, r, registry.Registration{Identity: fmt.Sprint("n", i), Interval: 10 * time.Minute, Facts: map[string]any{"v": int64(1)}})
		}
		time.Sleep(time.Minute)
		register(t, r, registry.Registration{Identity: "n1", Interval: 10 * time.Minute, Facts: map[string]any{"v": int64(2)}})
		if err := r.Deactivate(t.Context(), "n2", "anna"); err != nil {
			t.Fatal(err)
		}
		before, past := dump(t, r), history(t, r, "", time.Time{}, time.Time{})
		var backup bytes.Buffer
		if err := r.Backup(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}

		time.Sleep(20 * 24 * time.Hour)
		empty := living(t, nil, registry.Lifecycle{})
		defer shut(t, empty)
		done, err := empty.Restore(t.Context(), bytes.NewReader(backup.Bytes()))
		if err != nil || done != (registry.Restored{Nodes: 30, Changed: 30, Events: 32}) {
			t.Errorf("restored %+v, %v", done, err)
		}
		if got := dump(t, empty); got != before {
			t.Errorf("restored\n%.500s\nwant\n%.500s", got, before)
		}
		if got := history(t, empty, "", time.Time{}, time.Now().Add(-time.Hour)); got != past {
			t.Errorf("restored history\n%s\nwant\n%s", got, past)
		}

		later := living(t, nil, registry.Lifecycle{})
		defer shut(t, later)
		register(t, later, registry.Registration{Identity: "n1", Facts: map[string]any{"v": int64(3)}})
		register(t, later, registry.Registration{Identity: "own", Facts: map[string]any{"v": int64(3)}})
		if done, err = later.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil || done.Changed != 29 {
			t.Errorf("restored %+v, %v", done, err)
		}
		if a := find(t, later, "v=3", registry.Discovery{}); a.String() != "n1 own" {
			t.Errorf("of what was heard since %q is left", a.String())
		}
		if done, err = later.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil || done.Changed != 0 || done.Events != 0 {
			t.Errorf("restored again %+v, %v", done, err)
		}
	})
}

// TestADamagedBackupChangesNothing.
func TestADamagedBackupChangesNothing(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	for i := range 50 {
		register(t, r, registry.Registration{Identity: fmt.Sprint("n", i), Facts: map[string]any{"v": int64(i)}})
	}
	var whole bytes.Buffer
	if err := r.Backup(t.Context(), &whole); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Backup(cancelled, &bytes.Buffer{}); err == nil {
		t.Error("a backup that was given up says nothing")
	}
	empty := open(t, nil, &now)
	for i := 0; i < whole.Len(); i += 3 {
		for name, text := range map[string][]byte{"cut": whole.Bytes()[:i], "changed": flipped(whole.Bytes(), i)} {
			if name == "changed" && i < 10 {
				continue // the head of the compression: times and the like
			}
			_, err := empty.Restore(t.Context(), bytes.NewReader(text))
			if err == nil && name == "changed" && dump(t, empty) == dump(t, r) {
				empty = open(t, nil, &now) // a bit that compression does not use
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "reading the backup") {
				t.Fatalf("%s at %d of %d: %v", name, i, whole.Len(), err)
			}
		}
	}
	if s := empty.Stats(); s.Nodes != 0 {
		t.Errorf("%d nodes came out of damaged backups", s.Nodes)
	}
	if _, err := empty.Restore(t.Context(), bytes.NewReader(whole.Bytes())); err != nil || empty.Stats().Nodes != 50 {
		t.Errorf("the whole one: %v", err)
	}
}

func flipped(text []byte, i int) []byte {
	out := bytes.Clone(text)
	out[i] ^= 0x10
	return out
}
