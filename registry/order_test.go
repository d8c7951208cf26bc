package registry_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// TestNobodyIsShutOutByTheFuture: a registration that places itself
// implausibly far ahead is kept, and the next honest one follows it.
func TestNobodyIsShutOutByTheFuture(t *testing.T) {
	sequence := func(at time.Time) uint64 { return uint64(at.UnixNano()) }
	for name, ahead := range map[string]registry.Registration{
		"largest sequence":  {Sequence: math.MaxUint64},
		"sequence in days":  {Sequence: sequence(noon.Add(48 * time.Hour))},
		"sent in years":     {Sent: noon.AddDate(30, 0, 0)},
		"sequence and sent": {Sequence: sequence(noon.AddDate(10, 0, 0)), Sent: noon.AddDate(10, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			store := &registry.MemoryStore{}
			r := open(t, store, &now)
			ahead.Identity, ahead.Facts = "db1", map[string]any{"turn": "ahead"}
			register(t, r, ahead)
			n, _ := r.Node("db1")
			if n.Facts["turn"] != "ahead" || !strings.Contains(strings.Join(n.Warnings, ";"), " ahead") {
				t.Errorf("facts %v, warnings %q", n.Facts, n.Warnings)
			}

			now = now.Add(time.Minute)
			ahead.Facts = map[string]any{"turn": "still ahead"}
			register(t, r, ahead)

			now = now.Add(time.Minute)
			honest := registry.Registration{Identity: "db1", Facts: map[string]any{"turn": "honest"}, Sent: now}
			if ahead.Sequence != 0 {
				honest.Sequence = sequence(now)
			}
			r = open(t, store, &now) // what is stored is within reach too
			register(t, r, honest)
			n, _ = r.Node("db1")
			if n.Facts["turn"] != "honest" || len(n.Warnings) != 0 {
				t.Errorf("facts %v, warnings %q", n.Facts, n.Warnings)
			}
			honest.Sequence, honest.Sent, honest.Facts = honest.Sequence/2, now.Add(-time.Hour), map[string]any{"turn": "late"}
			_ = refused(t, r, honest, registry.ReasonOlder)
		})
	}
}

// TestADayAheadIsInOrder: a clock that is merely wrong keeps its own order.
func TestADayAheadIsInOrder(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	at := noon.Add(23 * time.Hour)
	register(t, r, registry.Registration{Identity: "db1", Sequence: uint64(at.UnixNano()), Facts: map[string]any{"a": "b"}})
	_ = refused(t, r, registry.Registration{Identity: "db1", Sequence: uint64(at.UnixNano()) - 1, Facts: map[string]any{"a": "c"}}, registry.ReasonOlder)
}
