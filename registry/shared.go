package registry

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// Shared is what a [Store] may be besides: one that several registries write to
// and read from at the same time. Each keeps all nodes in memory, and follows
// what the others write.
//
// A store tells by [Node.Version] whether a node is still the one that a
// registry knows.
type Shared interface {
	Store
	Journal
	Keeper

	// Replace stores a node in place of the one that the registry knows, which
	// has no sections if it knows none, together with what happened; it gives the
	// events their IDs, each larger than those of all events before. It
	// returns [ErrOvertaken], and has done nothing, if the store does not have
	// that node, or has heard of it later than its LastSeen.
	Replace(ctx context.Context, known, next *Node, happened []Event) error

	// Forget deletes a node as Replace replaces one.
	Forget(ctx context.Context, known *Node, gone Event) error

	// Nodes returns nodes, in any order; those that are not there are left out.
	Nodes(ctx context.Context, ids ...Identity) ([]Node, error)

	// Follow begins to follow what is written from now on. What was before is
	// what Load hands over when it is called afterwards.
	Follow(ctx context.Context) (Follower, error)

	// Lead reports whether the store takes the asker for the one who does what
	// is to be done once for all registries, and will do so for a time from now.
	Lead(ctx context.Context, now time.Time, span time.Duration) (bool, error)
}

// Follower follows what registries write to a store.
type Follower interface {
	// Next hands over what was written since the last call for which see
	// returned nil, by whomever. It may hand over things twice, and of what was
	// written several times the last. The error is that of see, [ErrFarBehind],
	// or says why the store could not be read.
	Next(ctx context.Context, see func(Changes) error) error
}

// Changes are what was written to a store.
type Changes struct {
	Nodes  []Seen
	Events []Event // by ID
}

// Seen is how a node stands in a store.
type Seen struct {
	Identity Identity
	Version  uint64 // as of [Node.Version]; 0: it may have been deleted
	Beats    []Beat // the times of its sections
}

var (
	// ErrOvertaken is for a change of a node that another registry has changed.
	ErrOvertaken = errors.New("another registry has changed the node at the same time")

	// ErrFarBehind is for a follower that has not followed for so long that what
	// was deleted since can not be told any more.
	ErrFarBehind = errors.New("the changes since then are not known any more")
)

// Version is a fingerprint of what is known of a node but for what a [Beat]
// moves, and for volatile facts. It is the same in every process; 0 if nothing
// is known.
func (n *Node) Version() uint64 { return n.Head().Version() }

// Version is that of the node. It may be asked of nil.
func (h *Head) Version() uint64 {
	if h == nil || len(h.parts) == 0 {
		return 0
	}
	sum := fnv.New64a()
	text := func(s string) {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(s)))
		_, _ = sum.Write(length[:]) // a hash takes everything
		_, _ = sum.Write([]byte(s))
	}
	bySource := func(a, b part) int { return cmp.Compare(a.source, b.source) }
	for _, p := range slices.SortedFunc(slices.Values(h.parts), bySource) {
		text(string(p.source))
		text(p.hash)
		text(p.auth)
		if p.source == collision {
			for _, w := range p.warnings {
				text(w)
			}
		}
	}
	return max(1, sum.Sum64())
}

// maxOvertaken is how often a change is tried again that others overtook.
const maxOvertaken = 16

// untilCurrent tries to change a node until nobody overtakes it.
func untilCurrent(try func() error) (err error) {
	for range maxOvertaken {
		if err = try(); !errors.Is(err, ErrOvertaken) {
			return err
		}
	}
	return err
}

// replace is commit in a store that is shared. If another registry was first,
// readers see what that wrote. The node's lock is held.
func (r *Registry) replace(ctx context.Context, known *Node, changed Node, head *Head, happened []Event) error {
	err := r.shared.Replace(ctx, known, &changed, r.events.dated(happened, r.conf.Now()))
	if errors.Is(err, ErrOvertaken) {
		return cmp.Or(r.refresh(ctx, changed.Identity), err)
	}
	if err == nil {
		r.table.put(head, changed.Document())
		r.nudge()
	}
	return err
}

// forgetShared is forget in a store that is shared. The node's lock is held.
func (r *Registry) forgetShared(ctx context.Context, n *Head) error {
	gone := r.events.dated([]Event{{Identity: n.Identity, Kind: EventGone}}, r.conf.Now())
	err := r.shared.Forget(ctx, n.node(), gone[0])
	if errors.Is(err, ErrOvertaken) {
		return cmp.Or(r.refresh(ctx, n.Identity), err)
	}
	if err == nil {
		r.table.remove(n.Identity.Key())
		r.nudge()
	}
	return err
}

// dated cuts events to what their nodes may still spend, and dates them.
func (s *events) dated(list []Event, now time.Time) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range list {
		list[i] = s.spent.within(e, now)
		list[i].At = now.UTC()
	}
	return list
}

// refresh takes a node as the store has it. The node's lock is held.
func (r *Registry) refresh(ctx context.Context, id Identity) error {
	nodes, err := r.shared.Nodes(ctx, id)
	if err != nil {
		return err
	}
	var stored *Node
	if len(nodes) > 0 {
		stored = &nodes[0]
	}
	r.adopt(ctx, r.table.head(id.Key()), stored)
	return nil
}

// adopt shows readers a node as the store has it, in place of the one that is
// known; either may be nil.
func (r *Registry) adopt(ctx context.Context, known *Head, stored *Node) {
	switch {
	case stored == nil && known == nil:
	case stored == nil:
		r.table.remove(known.Identity.Key())
		r.machines.forget(known.node())
	default:
		n := stored.withLater(known)
		for source, s := range n.Sections {
			r.beats.remind(stored.Sections[source].Beat(n.Identity, source), s.Beat(n.Identity, source))
		}
		r.table.put(n.head(ctx, r.packer), n.Document())
		r.machines.knows(n.Identity, n.Facts, known == nil)
	}
}

// withLater returns n with those sections of another version of it that say the
// same and were heard later: they hold what a store does not have yet.
func (n *Node) withLater(known *Head) *Node {
	later := func(source Source) bool {
		s, k := n.Sections[source], known.part(source)
		return k != nil && k.hash == s.Hash && k.auth == s.Auth && !k.beat(n.Identity).Before(s.Beat(n.Identity, source))
	}
	sources := slices.DeleteFunc(slices.Collect(maps.Keys(n.Sections)), func(s Source) bool { return !later(s) })
	if len(sources) == 0 {
		return n
	}
	sections, all := maps.Clone(n.Sections), known.node()
	for _, source := range sources {
		sections[source] = all.Sections[source]
	}
	merged := NewNode(n.Identity, n.FirstSeen, sections)
	return &merged
}
