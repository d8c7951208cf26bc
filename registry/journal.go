package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muster/query"
)

// Journal is what a [Store] may do besides: remember events.
type Journal interface {
	// PutEvents puts nodes as [Store.Put] does, and events, in one commit. A store
	// that is [Shared] gives IDs to the events that have none.
	PutEvents(ctx context.Context, events []Event, nodes ...Node) error

	// Events hands events to add, in the order of their IDs. It stops at the
	// first error of add and returns that.
	Events(ctx context.Context, want EventRange, add func(Event) error) error

	// TrimEvents forgets the events before an ID, and the oldest ones beyond so
	// many bytes, as the store counts them.
	TrimEvents(ctx context.Context, before uint64, most int64) error

	// EventBounds returns the IDs of the first and the last event; zeros if
	// there are none.
	EventBounds(ctx context.Context) (first, last uint64, err error)
}

// EventRange says which events are wanted.
type EventRange struct {
	Identity Identity // of this node; empty: of all
	After    uint64   // with larger IDs; 0: all
	Until    uint64   // with IDs up to this one; 0: all
}

// Retention says how long events are remembered.
type Retention struct {
	Age   time.Duration // 0: 90 days
	Bytes int64         // of all events as they are stored; 0: 256 MiB
}

// ErrNoHistory is the answer where the store remembers no events.
var ErrNoHistory = errors.New("this store keeps no history; the embedded one does")

// eventID is the smallest ID that an event of a moment can have.
func eventID(t time.Time) uint64 { return uint64(max(0, t.UnixMicro())) }

// events orders what happens, and hands it to who watches.
type events struct {
	mu       sync.Mutex
	last     uint64
	open     []pendingEvent // begun, in the order of IDs
	spent    spending
	watchers map[*watcher]bool
	dropped  uint64
}

type pendingEvent struct {
	event   Event
	settled bool
	happens bool // it did
}

// begin gives an event its ID. Each is to be ended.
func (s *events) begin(e Event, now time.Time) Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e = s.spent.within(e, now)
	e.ID, e.At = max(s.last+1, eventID(now)), now.UTC()
	s.last = e.ID
	s.open = append(s.open, pendingEvent{event: e})
	return e
}

// end says whether an event happened, once readers can see it. Watchers get
// events in the order of their IDs.
func (s *events) end(e Event, happened bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.open {
		if s.open[i].event.ID == e.ID {
			s.open[i].settled, s.open[i].happens = true, happened
		}
	}
	done := 0
	for done < len(s.open) && s.open[done].settled {
		if s.open[done].happens {
			s.tell(s.open[done].event)
		}
		done++
	}
	s.open = append(s.open[:0], s.open[done:]...)
}

// record stores nodes and what happened to them, then calls show, which lets
// readers see it.
func (r *Registry) record(ctx context.Context, happened []Event, show func(), nodes ...Node) error {
	now := r.conf.Now()
	if r.shared != nil { // whatever changes nodes goes through replace
		defer r.nudge()
		return r.shared.PutEvents(ctx, r.events.dated(happened, now))
	}
	for i := range happened {
		happened[i] = r.events.begin(happened[i], now)
	}
	var err error
	if journal, ok := r.store.(Journal); ok && len(happened) > 0 {
		err = journal.PutEvents(ctx, happened, nodes...)
	} else if len(nodes) > 0 {
		err = r.store.Put(ctx, nodes...)
	}
	if r.written(err) == nil {
		show()
	}
	for _, e := range happened {
		r.events.end(e, err == nil)
	}
	return err
}

// History hands what happened to a node within a time to add, oldest first. It
// stops at the first error of add and returns that. A zero time is no bound.
// Events of nodes that were forgotten are there as well.
func (r *Registry) History(ctx context.Context, id string, from, to time.Time, add func(Event) error) error {
	want := EventRange{Identity: Identity(id)}
	if !from.IsZero() {
		want.After = max(1, eventID(from)) - 1
	}
	if !to.IsZero() {
		want.Until = eventID(to)
	}
	return r.Events(ctx, want, add)
}

// Events hands events to add, oldest first. It stops at the first error of add
// and returns that. The error is [ErrNoHistory] where the store has none.
func (r *Registry) Events(ctx context.Context, want EventRange, add func(Event) error) error {
	if err := r.usable(); err != nil {
		return err
	}
	journal, ok := r.store.(Journal)
	if !ok {
		return ErrNoHistory
	}
	return journal.Events(ctx, want, func(e Event) error {
		e.Changes = r.redact.changes(e.Changes) // it may be from before they had to be clean
		return add(e)
	})
}

// changed returns the identities of nodes on which what a path leads to
// changed after a moment.
func (r *Registry) changed(ctx context.Context, path query.Path, since time.Time) ([]string, error) {
	found := map[string]bool{}
	err := r.Events(ctx, EventRange{After: eventID(since)}, func(e Event) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("searching the history: %w", context.Cause(ctx))
		}
		for _, c := range e.Changes {
			if !found[string(e.Identity)] && concerns(c.Path, path) {
				found[string(e.Identity)] = true
			}
		}
		return nil
	})
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	return names, err
}

// concerns reports whether a change at one path changes what another leads to:
// one lies on the way to the other.
func concerns(changed string, asked query.Path) bool {
	p := ParsePath(changed)
	if p.Field != asked.Field {
		return false
	}
	for _, steps := range [][]query.Step{asked.Steps, flatStep(asked)} {
		if steps == nil && len(asked.Steps) > 0 {
			continue
		}
		same := true
		for i := range min(len(steps), len(p.Steps)) {
			switch steps[i].Kind {
			case "deep":
				return true
			case "any", "index":
			default:
				same = same && steps[i].Key == p.Steps[i].Key
			}
		}
		if same {
			return true
		}
	}
	return false
}

// flatStep is the whole path as one name; nil where it has none.
func flatStep(p query.Path) []query.Step {
	if p.Flat == "" {
		return nil
	}
	return []query.Step{{Kind: "name", Key: p.Flat, Pos: -1}}
}

// trim forgets events that are too old or too many.
func (r *Registry) trim(ctx context.Context) {
	journal, ok := r.store.(Journal)
	if !ok {
		return
	}
	before := eventID(r.conf.Now().Add(-r.conf.Retention.Age))
	if err := journal.TrimEvents(ctx, before, r.conf.Retention.Bytes); err != nil {
		r.conf.Log.Warn("could not forget old history", "error", err)
	}
}
