package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
)

// Restored says what a backup brought.
type Restored struct {
	Nodes   int `json:"nodes"`   // in the backup
	Changed int `json:"changed"` // nodes that were not there, or not as new
	Events  int `json:"events"`  // events from before what was remembered
}

// Restore brings back what a backup holds and the registry does not: nodes that
// are not there, sections that it has heard something older of or nothing, and
// events from before its own. What it has heard since stays. It reads the
// backup twice, and changes nothing if that is not whole.
func (r *Registry) Restore(ctx context.Context, backup io.ReadSeeker) (Restored, error) {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return Restored{}, err
	}
	b, err := openBackup(backup, kindBackup)
	if err == nil {
		err = b.each(func(Node) error { return context.Cause(ctx) }, func(Event) error { return context.Cause(ctx) })
	}
	if err == nil {
		_, err = backup.Seek(0, io.SeekStart)
	}
	if err == nil {
		b, err = openBackup(backup, kindBackup)
	}
	if err != nil {
		return Restored{}, fmt.Errorf("reading the backup: %w", err)
	}
	if nodes, _ := r.table.state(); nodes == 0 {
		if err := r.hearAgain(b.head.Hearing); err != nil {
			return Restored{}, fmt.Errorf("reading the backup: %w", err)
		}
	}
	done, err := r.restoreAll(ctx, b)
	if err != nil {
		return done, fmt.Errorf("restoring the backup: %w", err)
	}
	return done, nil
}

// hearAgain counts the time since the backup as time in which nothing was heard.
func (r *Registry) hearAgain(kept []byte) error {
	h, err := parseHeard(kept)
	if err != nil {
		return err
	}
	r.life.mu.Lock()
	defer r.life.mu.Unlock()
	if r.life.deaf {
		r.life.now.Store(h.stopped(isDeaf))
		return nil
	}
	r.life.now.Store(h.deafTo(r.conf.Now()))
	return nil
}

// restorers is how many nodes are restored at once, so that they share commits.
const restorers = 64

func (r *Registry) restoreAll(ctx context.Context, b *backupReader) (done Restored, err error) {
	first, _, err := r.eventBounds(ctx)
	remembers := !errors.Is(err, ErrNoHistory)
	if remembers && err != nil {
		return done, err
	}
	var events []Event
	done.Changed, err = inParallel(func(put func(Node) error) error {
		err := b.each(func(n Node) error {
			done.Nodes++
			n, _ = r.redact.sections(n)
			return put(n)
		}, func(e Event) error {
			if !remembers || first > 0 && e.ID >= first {
				return nil
			}
			e.Changes = r.redact.changes(e.Changes)
			events = append(events, e)
			done.Events++
			if len(events) < 1000 {
				return nil
			}
			return r.putOld(ctx, &events)
		})
		if err == nil && len(events) > 0 {
			err = r.putOld(ctx, &events)
		}
		return err
	}, func(n Node) (bool, error) { return r.restore(ctx, n) })
	return done, err
}

// inParallel gives each node that feed puts to several goroutines, and counts
// those that change something. It stops at the first error.
func inParallel(feed func(put func(Node) error) error, take func(Node) (bool, error)) (changed int, err error) {
	var mu sync.Mutex
	var failed error
	work := make(chan Node)
	var workers sync.WaitGroup
	for range restorers {
		workers.Go(func() {
			for n := range work {
				var did bool
				err := untilCurrent(func() (err error) {
					did, err = take(n)
					return err
				})
				mu.Lock()
				failed = errors.Join(failed, err)
				if did {
					changed++
				}
				mu.Unlock()
			}
		})
	}
	err = feed(func(n Node) error {
		work <- n
		mu.Lock()
		defer mu.Unlock()
		return failed
	})
	close(work)
	workers.Wait()
	if err == nil {
		err = failed
	}
	return changed, err
}

// putOld stores events of before.
func (r *Registry) putOld(ctx context.Context, events *[]Event) error {
	list := *events
	*events = nil
	return r.store.(Journal).PutEvents(ctx, list) //nolint:forcetypeassert // eventBounds has found that it is one
}

// restore brings back one node.
func (r *Registry) restore(ctx context.Context, kept Node) (changed bool, err error) {
	lock := r.lockOf(kept.Identity)
	lock.Lock()
	defer lock.Unlock()
	node := r.table.node(kept.Identity.Key())
	if node == nil {
		node = &Node{Identity: kept.Identity}
		return true, r.commit(ctx, node, kept, r.clock())
	}
	sections := maps.Clone(node.Sections)
	for source, s := range kept.Sections {
		if known := sections[source]; source.speaks() || source == Trusted {
			if known == nil || known.Received.Before(s.Received) {
				sections[source] = s
				changed = true
			}
		}
	}
	if !changed {
		return false, nil
	}
	first := node.FirstSeen
	if kept.FirstSeen.Before(first) {
		first = kept.FirstSeen
	}
	return true, r.commit(ctx, node, NewNode(node.Identity, first, sections), r.clock())
}
