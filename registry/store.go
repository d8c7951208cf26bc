package registry

import (
	"context"
	"maps"
	"time"
)

// Store keeps nodes. The registry reads it once, when it opens, and writes to
// it from several goroutines, though never two at once for one identity.
//
// A store keeps Identity, FirstSeen and Sections of a node exactly; what is
// merged from them it may keep for its own readers. It compares identities
// by [Identity.Key].
type Store interface {
	// Load hands each node to add, in any order, made by [NewNode]. It stops
	// at the first error of add and returns that.
	Load(ctx context.Context, add func(Node) error) error

	// Put adds nodes or replaces them. When it returns nil they survive a
	// crash of the process and of the machine.
	Put(ctx context.Context, nodes ...Node) error

	// Touch notes that nodes registered again without a change. It is called
	// now and then with all that came since. It ignores nodes and sections that
	// are not there, and beats from before the section that is: a change may
	// have overtaken them.
	Touch(ctx context.Context, beats ...Beat) error

	// Delete removes nodes; the ones that are not there are ignored.
	Delete(ctx context.Context, ids ...Identity) error

	// Close waits for what is under way and lets go of everything.
	Close() error
}

// Keeper is what a [Store] may do besides: keep small things of the registry's
// own, by name.
type Keeper interface {
	// Keep stores a value, durably.
	Keep(ctx context.Context, name string, value []byte) error

	// Kept returns a value, nil if there is none.
	Kept(ctx context.Context, name string) ([]byte, error)
}

// Beat is a registration that changed nothing: all that moves in a section.
type Beat struct {
	Identity Identity
	Source   Source
	Sequence uint64
	Sent     time.Time
	Received time.Time
	Learnt   time.Duration // as in the section; a store may lose it
}

// Beat returns the times of a node's section, which is of a source.
func (s *Section) Beat(id Identity, source Source) Beat {
	return Beat{Identity: id, Source: source, Sequence: s.Sequence, Sent: s.Sent, Received: s.Received, Learnt: s.Learnt}
}

// Before reports whether a beat came before another of its section. Of two that
// were received in the same instant, by two registries, the sender's count tells.
func (b Beat) Before(o Beat) bool {
	return b.Received.Before(o.Received) || b.Received.Equal(o.Received) && b.Sequence < o.Sequence
}

// Touched returns n with a beat's times, unless it knows nothing of the source
// or something later.
func (n Node) Touched(b Beat) Node {
	old := n.Sections[b.Source]
	if old == nil || b.Before(old.Beat(b.Identity, b.Source)) {
		return n
	}
	s := *old
	s.Sequence, s.Sent, s.Received, s.Learnt = b.Sequence, b.Sent, b.Received, b.Learnt
	sections := maps.Clone(n.Sections)
	sections[b.Source] = &s
	n.Sections = sections
	if s.Learnt != old.Learnt {
		n.Learnt = learnt(sections)
	}
	if b.Source.speaks() && s.Received.After(n.LastSeen) {
		n.LastSeen = s.Received
	}
	return n
}
