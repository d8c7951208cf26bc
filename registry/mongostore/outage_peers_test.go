//go:build peers

package mongostore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// outage: a server that goes away is said, nothing is acknowledged meanwhile,
// and writing goes on by itself when it is back.
func outage(t *testing.T, uri string) {
	server := strings.TrimSuffix(strings.TrimPrefix(uri, "mongodb://"), "/")
	p := &proxy{server: server}
	p.up(t)
	t.Cleanup(p.down)

	s := open(t, p.uri(), scratch(t, uri), "")
	r, err := registry.Open(t.Context(), registry.Config{Store: s, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	register := func(turn int64) error {
		_, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"turn": turn}})
		return err
	}
	if err := register(1); err != nil {
		t.Fatal(err)
	}
	p.down()
	for range 2 { // a connection that breaks, then none
		err := register(2)
		if err == nil || !strings.Contains(err.Error(), "storing the registration of db1: writing to MongoDB at "+p.address+": ") || strings.Contains(err.Error(), "topology") {
			t.Errorf("while the server is away: %v", err)
		}
	}
	if n, _ := r.Node("db1"); n.Facts["turn"] != int64(1) {
		t.Errorf("readers see turn %v, want what was acknowledged", n.Facts["turn"])
	}
	p.up(t)
	deadline := time.Now().Add(20 * time.Second)
	for err = register(3); err != nil && time.Now().Before(deadline); err = register(3) {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("the server is back, and still: %v", err)
	}
}

// cuts: connections that break in the middle of a write, before the server has
// it or before its answer is back, lose nothing that was acknowledged, and the
// journal has every change that was stored, once.
func cuts(t *testing.T, uri string) {
	p := &proxy{server: strings.TrimSuffix(strings.TrimPrefix(uri, "mongodb://"), "/")}
	p.up(t)
	t.Cleanup(p.down)
	database := scratch(t, uri)
	r, err := registry.Open(t.Context(), registry.Config{Store: open(t, p.uri(), database, ""), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	turn, failed := int64(0), 0
	register := func() error {
		turn++
		_, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Sequence: uint64(turn), Facts: map[string]any{"turn": turn}})
		return err
	}
	// A request begins with its name, as text: findAndModify takes a number,
	// update writes the node, insert the event.
	for _, request := range []string{"findAndModify", "update", "insert"} {
		for _, answered := range []bool{false, true} {
			if err := register(); err != nil {
				t.Fatalf("turn %d, before anything was cut: %v", turn, err)
			}
			p.cutAt(cut{"\x02" + request + "\x00", answered})
			acknowledged := turn
			if err := register(); err != nil {
				failed++
			} else {
				acknowledged = turn
			}
			deadline := time.Now().Add(20 * time.Second)
			for err = register(); err != nil && time.Now().Before(deadline); err = register() {
				time.Sleep(50 * time.Millisecond)
			}
			if err != nil {
				t.Fatalf("after %s was cut: %v", request, err)
			}
			other := open(t, uri, database, "")
			stored, err := other.Nodes(t.Context(), "db1")
			if err != nil || len(stored) != 1 || stored[0].Facts["turn"].(int64) < acknowledged {
				t.Errorf("%s was cut, answered %v: the store has %v, %v; turn %d was acknowledged", request, answered, stored, err, acknowledged)
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if failed == 0 {
		t.Error("nothing was cut")
	}
	had := ""
	err = r.Events(t.Context(), registry.EventRange{Identity: "db1"}, func(e registry.Event) error {
		for _, c := range e.Changes {
			if c.Path == "turn" {
				if had != "" && string(c.Old) != had {
					t.Errorf("turn changed from %s to %s after it was %s", c.Old, c.New, had)
				}
				had = string(c.New)
			}
		}
		return nil
	})
	if err != nil || had != fmt.Sprint(turn) {
		t.Errorf("the journal ends with turn %s, %v; want %d", had, err, turn)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
