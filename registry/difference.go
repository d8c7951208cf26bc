package registry

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Diff returns what changed on a node since a moment and is not as it was,
// and since when that is known at all: later than asked if the history does
// not go back so far, or the node was not there. The error wraps [ErrNoNode]
// for a node that is not there.
func (r *Registry) Diff(ctx context.Context, id string, from time.Time) (changes []Change, since time.Time, err error) {
	if _, err := r.Inspect(ctx, id); err != nil {
		return nil, from, fmt.Errorf("comparing %s with itself: %w", quoted(id), err)
	}
	since = from
	if first, _, err := r.eventBounds(ctx); err == nil && first > eventID(from) {
		since = time.UnixMicro(int64(first)).UTC()
	}
	var fold folding
	err = r.History(ctx, id, from, time.Time{}, func(e Event) error {
		if e.Kind != EventChanged {
			fold, since = folding{}, e.At
		}
		fold.add(e.Changes)
		return nil
	})
	return fold.changes(), since, err
}

func (r *Registry) eventBounds(ctx context.Context) (first, last uint64, err error) {
	journal, ok := r.store.(Journal)
	if !ok {
		return 0, 0, ErrNoHistory
	}
	return journal.EventBounds(ctx)
}

// DiffNodes returns what differs between two nodes, volatile facts apart: Old is
// the first one's.
func (r *Registry) DiffNodes(first, second *Node) []Change {
	changes, _ := r.volatile.changesOf(first, second)
	return changes
}

// folding makes of several changes of one value the one from the first to the
// last.
type folding struct {
	order []string
	last  map[string]Change
}

func (f *folding) add(changes []Change) {
	if f.last == nil {
		f.last = map[string]Change{}
	}
	for _, c := range changes {
		key := c.key()
		was, known := f.last[key]
		if !known {
			f.order = append(f.order, key)
			was.Old = c.Old
		}
		f.last[key] = Change{Path: c.Path, Old: was.Old, New: c.New}
	}
}

// key names the value that changed. Of a set of names each is a value.
func (c *Change) key() string {
	switch c.Path {
	case "classes", "agents", "collectives":
		return c.Path + " " + string(c.Old) + string(c.New)
	}
	return c.Path
}

func (f *folding) changes() []Change {
	var list []Change
	for _, key := range f.order {
		if c := f.last[key]; !bytes.Equal(c.Old, c.New) {
			list = append(list, c)
		}
	}
	return list
}
