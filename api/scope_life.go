package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"muster/query"
	"muster/registry"
)

// History tells of a node that the scope shows, what it shows of it.
func (v *view) History(ctx context.Context, id string, from, to time.Time, add func(registry.Event) error) error {
	if _, ok := v.Node(id); !ok {
		return nil // as of a node that is not there
	}
	return v.life.History(ctx, id, from, to, v.filtered(add))
}

// Events tells of the nodes that the scope shows.
func (v *view) Events(ctx context.Context, want registry.EventRange, add func(registry.Event) error) error {
	add = v.filtered(add)
	return v.life.Events(ctx, want, func(e registry.Event) error {
		if !v.shows(e.Identity) {
			return nil
		}
		return add(e)
	})
}

// shows reports whether a node is there. One that is gone is not, where it may
// have been in a collective that is hidden.
func (v *view) shows(id registry.Identity) bool {
	if len(v.sight.Collectives) == 0 {
		return true
	}
	_, ok := v.Node(string(id))
	return ok
}

func (v *view) filtered(add func(registry.Event) error) func(registry.Event) error {
	return func(e registry.Event) error {
		if e, any := v.sight.Event(e); any {
			return add(e)
		}
		return nil
	}
}

// Diff tells what changed of what the scope shows.
func (v *view) Diff(ctx context.Context, id string, from time.Time) ([]registry.Change, time.Time, error) {
	if _, ok := v.Node(id); !ok {
		return nil, from, registry.ErrNoNode
	}
	changes, since, err := v.life.Diff(ctx, id, from)
	return v.visible(changes), since, err
}

// DiffNodes compares nodes as the scope has shown them.
func (v *view) DiffNodes(first, second *registry.Node) []registry.Change {
	return v.life.DiffNodes(first, second)
}

func (v *view) visible(changes []registry.Change) []registry.Change {
	if len(v.sight.Facts) == 0 {
		return changes
	}
	return v.sight.Changes(changes)
}

// Watch follows what the scope shows. A query about something that it hides is
// followed from now on only.
func (v *view) Watch(ctx context.Context, d registry.Discovery, after uint64, see func(registry.Watched) error) error {
	d = v.narrow(d)
	if asked, plain := v.plain(d); plain {
		return v.life.Watch(ctx, asked, after, func(w registry.Watched) error {
			e, any := v.sight.Event(w.Event)
			if w.What == registry.Left && len(v.sight.Collectives) > 0 {
				e.Changes, e.More = nil, 0 // it may be where it can not be seen by now
			}
			if any || w.What != registry.Altered {
				return see(registry.Watched{What: w.What, Event: e})
			}
			return nil
		})
	}
	if asksOthers(d.Query) {
		return fail(http.StatusBadRequest, "this can not be watched: it depends on other nodes or on the past")
	}
	if after > 0 {
		return registry.ErrTooOld
	}
	f := follower{view: v, want: d, see: see}
	all := registry.Discovery{Collectives: d.Collectives, States: []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}}
	return v.life.Watch(ctx, all, 0, func(w registry.Watched) error { return f.take(ctx, w) })
}

// asksOthers reports whether a query is about more than single nodes as they are.
func asksOthers(q *query.Query) bool {
	found := false
	query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e.(type) {
		case *query.Subquery, *query.Changed:
			found = true
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
		}
		return e
	})
	return found
}

// follower tells who enters and leaves a query's nodes as a scope shows them.
type follower struct {
	view    *view
	want    registry.Discovery
	see     func(registry.Watched) error
	members map[string]bool
}

func (f *follower) take(ctx context.Context, w registry.Watched) error {
	if w.What == registry.Began {
		a, err := f.view.Find(ctx, registry.Discovery{Query: &query.Query{Filter: f.want.Query.Filter}, Collectives: f.want.Collectives, States: f.want.States})
		if err != nil {
			return err
		}
		f.members = map[string]bool{}
		for _, n := range a.Nodes {
			f.members[n.Identity.Key()] = true
		}
		return f.see(w)
	}
	key := w.Identity.Key()
	was, is := f.members[key], f.named(w.Identity)
	f.members[key] = is
	e, any := f.view.sight.Event(w.Event)
	out := registry.Watched{What: registry.Altered, Event: e}
	switch {
	case is && !was:
		out.What = registry.Entered
	case was && !is:
		out.What, out.Changes, out.More = registry.Left, nil, 0
	case !is || !any:
		return nil
	}
	return f.see(out)
}

// named reports whether a node is one of the query's now.
func (f *follower) named(id registry.Identity) bool {
	n, ok := f.view.Node(string(id))
	states := f.want.States
	if len(states) == 0 {
		states = []registry.State{registry.Active, registry.Stale}
	}
	if !ok || !slices.Contains(states, n.State) {
		return false
	}
	return query.Matches(f.want.Query.Filter, n.Document(), f.view.server.Now())
}
