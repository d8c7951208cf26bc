package registrytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// JournalStore is a store that remembers events and keeps small things.
type JournalStore interface {
	registry.Store
	registry.Journal
	registry.Keeper
}

// TestJournal holds a store to what [registry.Journal] and [registry.Keeper]
// promise.
func TestJournal(t *testing.T, fresh func(t *testing.T) Opener, o Options) {
	t.Run("events", func(t *testing.T) { eventsSurvive(t, fresh(t), o) })
	t.Run("trim", func(t *testing.T) { eventsAreTrimmed(t, fresh(t)) })
	t.Run("keep", func(t *testing.T) { thingsAreKept(t, fresh(t)) })
}

func openJournal(t *testing.T, open Opener) JournalStore {
	t.Helper()
	s, ok := open(t).(JournalStore)
	if !ok {
		t.Fatal("the store is no journal")
	}
	return s
}

func event(id uint64, name registry.Identity) registry.Event {
	return registry.Event{
		ID: id, At: time.UnixMicro(int64(id)).UTC(), Identity: name, Kind: registry.EventChanged, More: int(id % 3),
		Changes: []registry.Change{
			{Path: "os.release", Old: json.RawMessage(`"1"`), New: json.RawMessage(fmt.Sprint(id))},
			{Path: "gone", Old: json.RawMessage(`null`)},
			{Path: "come", New: json.RawMessage(`{"a":[1.0,"ü"]}`)},
		},
	}
}

func putEvents(t *testing.T, s JournalStore, events []registry.Event, nodes ...registry.Node) {
	t.Helper()
	if err := s.PutEvents(t.Context(), events, nodes...); err != nil {
		t.Fatal(err)
	}
}

// list reads events as text.
func list(t *testing.T, s JournalStore, want registry.EventRange) string {
	t.Helper()
	var out []string
	err := s.Events(t.Context(), want, func(e registry.Event) error {
		text, err := json.Marshal(e)
		if wanted, _ := json.Marshal(event(e.ID, e.Identity)); string(text) != string(wanted) {
			t.Errorf("event %d reads back as %s, want %s", e.ID, text, wanted)
		}
		out = append(out, fmt.Sprintf("%d%s", e.ID, e.Identity))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// eventsSurvive: with their node in one commit, in order, by node, by ID.
func eventsSurvive(t *testing.T, open Opener, o Options) {
	s := openJournal(t, open)
	if first, last, err := s.EventBounds(t.Context()); first != 0 || last != 0 || err != nil {
		t.Errorf("bounds of nothing are %d and %d, %v", first, last, err)
	}
	n := node("a", map[string]any{"x": "y"})
	putEvents(t, s, []registry.Event{event(10, "a"), event(11, "ab")}, n)
	putEvents(t, s, []registry.Event{event(13, "A")})
	putEvents(t, s, []registry.Event{event(12, "ab")})
	closeStore(t, s)
	check(t, open, []registry.Node{n})
	s = openJournal(t, open)
	defer closeStore(t, s)
	for _, c := range []struct {
		want registry.EventRange
		get  string
	}{
		{registry.EventRange{}, "10a 11ab 12ab 13A"},
		{registry.EventRange{After: 11}, "12ab 13A"},
		{registry.EventRange{Until: 11}, "10a 11ab"},
		{registry.EventRange{After: 10, Until: 12}, "11ab 12ab"},
		{registry.EventRange{After: 13}, ""},
		{registry.EventRange{Until: 9}, ""},
		{registry.EventRange{Identity: "A"}, "10a 13A"},
		{registry.EventRange{Identity: "aB", After: 11}, "12ab"},
		{registry.EventRange{Identity: "b"}, ""},
		{registry.EventRange{Identity: "a", Until: 12}, "10a"},
	} {
		if got := list(t, s, c.want); got != c.get {
			t.Errorf("%+v: %q, want %q", c.want, got, c.get)
		}
	}
	if first, last, err := s.EventBounds(t.Context()); first != 10 || last != 13 || err != nil {
		t.Errorf("bounds are %d and %d, %v; want 10 and 13", first, last, err)
	}
	var many []registry.Event
	most := cmp.Or(o.Events, 2500)
	for id := range most {
		many = append(many, event(uint64(100+id), "many"))
	}
	putEvents(t, s, many)
	if got := strings.Count(list(t, s, registry.EventRange{Identity: "many", After: 149}), "many"); got != most-50 {
		t.Errorf("%d of many, want %d", got, most-50)
	}
}

// eventsAreTrimmed by age and by size.
func eventsAreTrimmed(t *testing.T, open Opener) {
	s := openJournal(t, open)
	for id := range uint64(10) {
		putEvents(t, s, []registry.Event{event(10+id, "a")})
	}
	trim := func(before uint64, most int64, want string) {
		t.Helper()
		if err := s.TrimEvents(t.Context(), before, most); err != nil {
			t.Fatal(err)
		}
		if got, own := list(t, s, registry.EventRange{}), list(t, s, registry.EventRange{Identity: "a"}); got != want || own != want {
			t.Errorf("%q are left, %q of the node; want %q", got, own, want)
		}
	}
	trim(12, 1<<30, "12a 13a 14a 15a 16a 17a 18a 19a")
	trim(0, 1<<30, "12a 13a 14a 15a 16a 17a 18a 19a")
	closeStore(t, s)
	s = openJournal(t, open)
	defer closeStore(t, s)
	const size = 350 // more than one, less than two
	trim(0, size, "19a")
	trim(100, size, "")
	trim(100, 0, "")
}

func thingsAreKept(t *testing.T, open Opener) {
	s := openJournal(t, open)
	if v, err := s.Kept(t.Context(), "a"); v != nil || err != nil {
		t.Errorf("kept from the start: %q, %v", v, err)
	}
	for _, v := range []string{"1", "2"} {
		if err := s.Keep(t.Context(), "a", []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = openJournal(t, open)
	defer closeStore(t, s)
	if v, err := s.Kept(t.Context(), "a"); string(v) != "2" || err != nil {
		t.Errorf("kept is %q, %v; want 2", v, err)
	}
}
