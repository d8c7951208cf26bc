package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

func machineFacts(id, address string) map[string]any {
	facts := map[string]any{"networking": map[string]any{"ip": address}, "same": "x"}
	if id != "" {
		facts["dmi"] = map[string]any{"product": map[string]any{"uuid": id}}
	}
	return facts
}

const (
	uuidA = "4C4C4544-0043-3010-8052-B4C04F4E3532"
	uuidB = "8a3b2c1d-0000-4000-8000-1234567890ab"
)

// TestCollisionsAreVisible: two machines under one identity are not silent, and
// one machine that is installed anew or moves is no collision for long.
func TestCollisionsAreVisible(t *testing.T) {
	a, b := machineFacts(uuidA, "192.0.2.1"), machineFacts(uuidB, "192.0.2.2")
	here, there := machineFacts("", "192.0.2.1"), machineFacts("", "192.0.2.2")
	same1, same2 := machineFacts(uuidA, "192.0.2.1"), machineFacts(uuidA, "192.0.2.2")
	blank1, blank2 := machineFacts("00000000-0000-0000-0000-000000000000", "192.0.2.1"), machineFacts("Not Set", "192.0.2.1")
	for name, c := range map[string]struct {
		say   []map[string]any // one each two minutes, of an interval of five
		after time.Duration    // and then the last once more
		want  string
	}{
		"two machines":         {[]map[string]any{a, b}, 0, uuidB[:8]},
		"taking turns":         {[]map[string]any{a, b, a, b, a}, 0, "4c4c4544"},
		"installed anew":       {[]map[string]any{a, b}, 20 * time.Minute, ""},
		"slowly":               {[]map[string]any{a, nil, nil, nil, nil, b}, 0, ""},
		"one moved":            {[]map[string]any{here, there}, 0, ""},
		"addresses in turns":   {[]map[string]any{here, there, here}, 0, "192.0.2.2"},
		"one with two":         {[]map[string]any{same1, same2, same1, same2}, 0, ""},
		"firmware says naught": {[]map[string]any{blank1, blank2, blank1}, 0, ""},
	} {
		now := noon
		r := open(t, nil, &now)
		reg := registry.Registration{Identity: "db1", Interval: 5 * time.Minute}
		for _, facts := range c.say {
			now = now.Add(2 * time.Minute)
			if facts == nil {
				continue
			}
			reg.Facts = facts
			register(t, r, reg)
		}
		if c.after > 0 {
			now = now.Add(c.after)
			register(t, r, reg)
		}
		n, _ := r.Node("db1")
		text := strings.Join(n.Warnings, "; ")
		if c.want == "" && (n.Head().Collides() || text != "") || c.want != "" && (!n.Head().Collides() || !strings.Contains(text, "two machines register as this node") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: %v, %q; want %q", name, n.Head().Collides(), text, c.want)
		}
	}
}

// TestCollisionsAreCounted, and survive a restart.
func TestCollisionsAreCounted(t *testing.T) {
	now := noon
	store := &registry.MemoryStore{}
	r := open(t, store, &now)
	for i := range 4 {
		now = now.Add(2 * time.Minute)
		register(t, r, registry.Registration{Identity: "db1", Interval: 5 * time.Minute, Facts: machineFacts([]string{uuidA, uuidB}[i%2], "")})
	}
	now = now.Add(2 * time.Minute)
	if s := r.Stats().Life; s.Collisions != 1 {
		t.Errorf("%d collisions, want 1", s.Collisions)
	}
	if n, _ := open(t, store, &now).Node("db1"); !n.Head().Collides() {
		t.Error("after a restart there is no collision")
	}
}

// TestRenamesLeaveNoGhost: the old name goes out of answers when it does not
// register any more, and comes back if it does.
func TestRenamesLeaveNoGhost(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	names := func() string {
		a, err := r.Find(t.Context(), registry.Discovery{})
		if err != nil {
			t.Fatal(err)
		}
		return a.String()
	}
	say := func(id, uuid string) {
		t.Helper()
		register(t, r, registry.Registration{Identity: id, Interval: 5 * time.Minute, Facts: machineFacts(uuid, "192.0.2.1")})
	}
	say("vm-17", uuidA)
	say("other", uuidB)
	now = now.Add(time.Minute)
	say("db1", uuidA)
	old, _ := r.Node("vm-17")
	if got := names(); got != "db1 other vm-17" || old.RenamedTo != "db1" || !strings.Contains(fmt.Sprint(old.Warnings), "registers as db1 now") {
		t.Errorf("at once: %s, %+v; want a mark and nobody gone", got, old)
	}
	now = now.Add(14 * time.Minute)
	say("db1", uuidA)
	say("other", uuidB)
	if got := names(); got != "db1 other" || state(r, "vm-17") != registry.Deactivated {
		t.Errorf("after three intervals: %s, vm-17 is %s", got, state(r, "vm-17"))
	}
	say("web1", "1"+uuidA[1:]) // web1 gets another machine, and its old one another name
	say("web1", "2"+uuidA[1:])
	say("web2", "1"+uuidA[1:])
	if n, _ := r.Node("web1"); n.RenamedTo != "" {
		t.Errorf("web1 is called %s now", n.RenamedTo)
	}
	if err := r.Deactivate(t.Context(), "web1", "anna"); err != nil {
		t.Fatal(err)
	}
	if err := r.Deactivate(t.Context(), "web2", "anna"); err != nil {
		t.Fatal(err)
	}
	say("vm-17", uuidA) // it was a copy
	old, _ = r.Node("vm-17")
	if got := names(); got != "db1 other vm-17" || !old.Head().Collides() || !strings.Contains(fmt.Sprint(old.Warnings), "db1 has the machine id of this node") {
		t.Errorf("back: %s, %+v", got, old)
	}
}
