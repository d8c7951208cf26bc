package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"muster/query"
)

// Watched is what a watcher is told.
type Watched struct {
	What Movement `json:"what"`
	Event
}

// Movement is what a node does with regard to a query.
type Movement string

// The movements there are.
const (
	Began   Movement = "began"  // the watch itself did: later events have larger IDs
	Entered Movement = "enter"  // the node is among the query's nodes now
	Left    Movement = "leave"  // it is not any more
	Altered Movement = "change" // it still is, and changed
)

// Reasons for which a watch ends.
var (
	ErrSlow   = errors.New("the watcher was too slow; watch again after the last event that was seen")
	ErrTooOld = errors.New("the events after that one are forgotten in part; search and watch anew")
)

// watchBuffer is how many events a watcher may be behind.
const watchBuffer = 1024

// watcher is somebody who watches.
type watcher struct {
	events chan Event
	lost   chan struct{} // closed when it was too slow
}

// subscribe adds a watcher, and returns the ID of the last event that it does
// not get.
func (s *events) subscribe() (*watcher, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{events: make(chan Event, watchBuffer), lost: make(chan struct{})}
	if s.watchers == nil {
		s.watchers = map[*watcher]bool{}
	}
	s.watchers[w] = true
	return w, s.told()
}

// told is the ID of the last event that was told, if it happened.
func (s *events) told() uint64 {
	if len(s.open) > 0 {
		return s.open[0].event.ID - 1
	}
	return s.last
}

func (s *events) position() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told()
}

func (s *events) unsubscribe(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

// tell hands an event to the watchers, and drops those that have no room.
func (s *events) tell(e Event) {
	for w := range s.watchers {
		select {
		case w.events <- e:
		default:
			delete(s.watchers, w)
			close(w.lost)
			s.dropped++
		}
	}
}

// Watch calls see for every node that enters or leaves the nodes of a
// discovery, or changes among them, as it is by then, until ctx is done or see returns an error,
// which it then returns. Sort and limits of the discovery are not looked at, and
// what a query says about time is asked again only when something happens to a
// node.
//
// First it tells that the watch began. With an ID of an event it goes on after
// that, and tells once of each node what became of it since; otherwise it tells
// what happens from now on. A watcher that falls behind is given up: the error
// is ErrSlow.
func (r *Registry) Watch(ctx context.Context, d Discovery, after uint64, see func(Watched) error) error {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return err
	}
	d = d.complete()
	if err := watchable(d.Query); err != nil {
		return err
	}
	w, position := r.events.subscribe()
	defer r.events.unsubscribe(w)
	members, err := r.members(ctx, d)
	if err != nil {
		return err
	}
	if err := r.reaches(ctx, after); err != nil {
		return err
	}
	if err := see(Watched{What: Began, Event: Event{ID: position, At: r.conf.Now().UTC()}}); err != nil {
		return err
	}
	after = r.resumed(after)
	if after > 0 && after < position {
		if err := r.catchUp(ctx, d, after, position, members, see); err != nil {
			return err
		}
	}
	for {
		select {
		case e := <-w.events:
			if e.ID <= after {
				continue
			}
			what, ok := r.moved(d, e.Identity, members)
			if !ok {
				continue
			}
			if err := see(Watched{what, e}); err != nil {
				return err
			}
		case <-w.lost:
			return ErrSlow
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// watchable refuses what can not be followed.
func watchable(q *query.Query) error {
	var refused error
	refuse := func(start, end int) {
		refused = &query.SyntaxError{
			Dialect: q.Dialect, Text: q.Text, Offset: start, End: end,
			Problem: "this can not be watched: it depends on other nodes or on the past", Want: "conditions on the node itself",
		}
	}
	query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e := e.(type) {
		case *query.Subquery:
			refuse(e.Start, e.End)
		case *query.Changed:
			refuse(e.Start, e.End)
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
			// These are about one node.
		}
		return e
	})
	return refused
}

// members are the nodes of a discovery, by key.
func (r *Registry) members(ctx context.Context, d Discovery) (map[string]bool, error) {
	nodes, err := r.nodes(ctx, d, d.Query, r.conf.Now())
	if err != nil {
		return nil, err
	}
	members := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		members[n.Identity.Key()] = true
	}
	return members, nil
}

// moved says what a node did now that something happened to it, and remembers
// whether it is a member.
func (r *Registry) moved(d Discovery, id Identity, members map[string]bool) (Movement, bool) {
	was, is := members[id.Key()], false
	if n := r.table.head(id.Key()); n != nil {
		var doc query.Document
		n.node().fill(&doc, r.stateOf(n))
		is = r.names(d, &doc)
	}
	switch {
	case is && !was:
		members[id.Key()] = true
		return Entered, true
	case was && !is:
		delete(members, id.Key())
		return Left, true
	}
	return Altered, is
}

// names reports whether a discovery names a node.
func (r *Registry) names(d Discovery, doc *query.Document) bool {
	return slices.Contains(d.States, State(doc.State)) && inOneOf(doc.Collectives, d.Collectives) &&
		query.Matches(d.Query.Filter, doc, r.conf.Now())
}

// reaches reports whether all that happened after an event is remembered.
func (r *Registry) reaches(ctx context.Context, after uint64) error {
	if after == 0 {
		return nil
	}
	first, last, err := r.eventBounds(ctx)
	if err == nil && (first == 0 || first > after || last < after) {
		err = ErrTooOld
	}
	return err
}

// catchUp tells of each node what became of it between two events.
func (r *Registry) catchUp(ctx context.Context, d Discovery, after, until uint64, members map[string]bool, see func(Watched) error) error {
	byNode := map[string][]Event{}
	last := map[string]Event{} // of each node until then
	err := r.Events(ctx, EventRange{After: after}, func(e Event) error {
		key := e.Identity.Key()
		byNode[key] = append(byNode[key], e)
		if e.ID <= until {
			last[key] = e
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("catching up: %w", err)
	}
	for _, e := range slices.SortedFunc(maps.Values(last), func(a, b Event) int { return cmp.Compare(a.ID, b.ID) }) {
		key := e.Identity.Key()
		was, is := r.wasMember(d, e.Identity, byNode[key]), members[key]
		what := Altered
		switch {
		case is && !was:
			what = Entered
		case was && !is:
			what = Left
		case !is:
			continue
		}
		if err := see(Watched{what, e}); err != nil {
			return err
		}
	}
	return nil
}

// wasMember reports whether a discovery named a node before some events.
func (r *Registry) wasMember(d Discovery, id Identity, since []Event) bool {
	n := r.table.head(id.Key())
	if n == nil {
		return true // it is gone, and what it was is not known: better said twice than not at all
	}
	var doc query.Document
	n.node().fill(&doc, r.stateOf(n))
	for _, e := range slices.Backward(since) {
		if e.Kind == EventNew {
			return false
		}
		undo(&doc, e.Changes)
	}
	return r.names(d, &doc)
}
