package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// following is how far a registry follows the others that share its store.
type following struct {
	follower Follower
	wake     chan struct{} // has room for one

	mu     sync.Mutex
	since  time.Time // when all that had been written was known
	failed bool
}

// nudge lets the registry follow at once: watchers learn of events by that.
func (r *Registry) nudge() {
	select {
	case r.follows.wake <- struct{}{}:
	default:
	}
}

// startFollowing is called before the nodes are loaded.
func (r *Registry) startFollowing(ctx context.Context) (err error) {
	if r.shared == nil || r.direct.is() {
		return nil
	}
	r.follows.since = r.conf.Now()
	r.follows.follower, err = r.shared.Follow(ctx)
	return err
}

// followOthers follows until ctx is done. It waits for the nodes to be loaded.
func (r *Registry) followOthers(ctx context.Context) {
	select {
	case <-r.loaded:
	case <-ctx.Done():
		return
	}
	if r.follows.follower == nil || r.loadErr != nil {
		return
	}
	tick := time.NewTicker(r.conf.FollowEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.follows.wake:
		case <-ctx.Done():
			return
		}
		r.followed(ctx, r.followOnce(ctx))
	}
}

// followed notes how following went.
func (r *Registry) followed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f := &r.follows
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err != nil && !f.failed:
		r.conf.Log.Warn("can not follow what other registries hear; it goes on by itself", "error", err)
	case err == nil && f.failed:
		r.conf.Log.Info("follows the other registries again", "away", r.conf.Now().Sub(f.since))
	}
	if f.failed = err != nil; !f.failed {
		f.since = r.conf.Now()
	}
}

// outdated warns askers that other registries may know more.
func (r *Registry) outdated() []string {
	if r.shared == nil {
		return nil
	}
	f := &r.follows
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.failed {
		return nil
	}
	return []string{fmt.Sprintf("what other registries heard since %s is not known here: the store can not be read", f.since.UTC().Format(time.RFC3339))}
}

func (r *Registry) followOnce(ctx context.Context) error {
	err := r.follows.follower.Next(ctx, func(c Changes) error {
		if err := r.see(ctx, c.Nodes); err != nil {
			return err
		}
		r.events.follow(c.Events)
		return nil
	})
	if errors.Is(err, ErrFarBehind) {
		err = r.catchUpAll(ctx)
	}
	return err
}

// see takes over how nodes stand in the store. What this registry has written
// itself it knows.
func (r *Registry) see(ctx context.Context, list []Seen) error {
	var differ []Identity
	for _, s := range list {
		switch known := r.table.head(s.Identity.Key()); {
		case known.Version() != s.Version, s.Version == 0:
			differ = append(differ, s.Identity)
		default:
			r.seeBeats(s)
		}
	}
	return r.look(ctx, differ)
}

// seeBeats takes over the times of a node that has not changed.
func (r *Registry) seeBeats(s Seen) {
	lock := r.lockOf(s.Identity)
	lock.Lock()
	defer lock.Unlock()
	known := r.table.head(s.Identity.Key())
	if known.Version() != s.Version {
		return // this registry has changed it in the meantime
	}
	touched := known
	for _, b := range s.Beats {
		r.beats.drop(b)
		old := known.part(b.Source)
		switch {
		case old == nil:
		case old.beat(s.Identity).Before(b):
			p := *old
			p.sequence, p.sent, p.received, p.learnt = b.Sequence, b.Sent, b.Received, b.Learnt
			touched = touched.with(p)
		default:
			r.beats.remind(b, old.beat(s.Identity))
		}
	}
	if touched != known {
		r.table.put(touched, nil)
	}
}

// beat is the times of a node's section.
func (p *part) beat(id Identity) Beat {
	return Beat{Identity: id, Source: p.source, Sequence: p.sequence, Sent: p.sent, Received: p.received, Learnt: p.learnt}
}

// lookedAtOnce is how many nodes are read at once.
const lookedAtOnce = 100

// look reads nodes anew.
func (r *Registry) look(ctx context.Context, ids []Identity) error {
	for some := range slices.Chunk(ids, lookedAtOnce) {
		before := make([]uint64, len(some))
		for i, id := range some {
			before[i] = r.table.head(id.Key()).Version()
		}
		nodes, err := r.shared.Nodes(ctx, some...)
		if err != nil {
			return err
		}
		stored := make(map[string]*Node, len(nodes))
		for i := range nodes {
			stored[nodes[i].Identity.Key()] = &nodes[i]
		}
		for i, id := range some {
			r.adoptUnless(ctx, id, before[i], stored[id.Key()])
		}
	}
	return nil
}

// adoptUnless adopts a node unless this registry has changed it since it had a
// version: then it knows the newest, since it changes what the store has only.
func (r *Registry) adoptUnless(ctx context.Context, id Identity, before uint64, stored *Node) {
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	if known := r.table.head(id.Key()); known.Version() == before {
		r.adopt(ctx, known, stored)
	}
}

// catchUpAll compares all nodes with the store.
func (r *Registry) catchUpAll(ctx context.Context) error {
	follower, err := r.shared.Follow(ctx)
	if err != nil {
		return err
	}
	var differ []Identity
	there := map[string]bool{}
	err = r.shared.Load(ctx, func(n Node) error {
		there[n.Identity.Key()] = true
		if r.table.head(n.Identity.Key()).Version() != n.Version() {
			differ = append(differ, n.Identity)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range r.table.all() {
		if !there[n.Identity.Key()] {
			differ = append(differ, n.Identity)
		}
	}
	if err := r.look(ctx, differ); err != nil {
		return err
	}
	r.follows.follower = follower
	r.conf.Log.Info("caught up with the other registries", "nodes", len(differ))
	return nil
}

// follow tells watchers of events that were recorded, here or elsewhere.
func (s *events) follow(list []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		s.tell(e)
		s.last = max(s.last, e.ID)
	}
}

// resumeSpan is how far, in IDs of events, those who go on after an event go
// back where several registries record: an event may be seen after one that has
// a larger ID. They may be told twice.
const resumeSpan = uint64(30 * time.Second / time.Microsecond)

// resumed is after which event a watcher goes on.
func (r *Registry) resumed(after uint64) uint64 {
	if r.shared == nil || after == 0 {
		return after
	}
	return max(after, resumeSpan+1) - resumeSpan
}

// drop lets go of a beat that the store has.
func (b *beats) drop(stored Beat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := beatKey{stored.Identity.Key(), stored.Source}
	if own, ok := b.pending[key]; ok && (own.sameMessage(stored) || !stored.Before(own)) {
		delete(b.pending, key)
	}
}

// remind lets a store know again what it had and lost: another registry that had
// not heard it yet changed the node in the same instant.
func (b *beats) remind(stored, own Beat) {
	if stored.Before(own) && !stored.sameMessage(own) {
		b.addOlder([]Beat{own})
	}
}

// sameMessage reports whether two beats are of one message, heard by two
// registries.
func (b Beat) sameMessage(o Beat) bool {
	return b.Sequence == o.Sequence && b.Sent.Equal(o.Sent) && (b.Sequence != 0 || !b.Sent.IsZero())
}

// knownBeat reports whether a store that is shared has the times of a beat, since
// the message was heard before: by another registry, or by this one.
func (r *Registry) knownBeat(old part, b Beat) bool {
	return r.shared != nil && b.sameMessage(old.beat(b.Identity))
}
