package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"muster/internal/pack"
)

// Head is what the registry has at hand of a node: enough to name it, and to
// say how it is. What the node said lies packed beside it. A Head is a value,
// as a [Node] is.
type Head struct {
	Identity    Identity
	FirstSeen   time.Time
	LastSeen    time.Time
	Collectives []string
	Auth        string
	Interval    time.Duration
	Learnt      time.Duration
	Deactivated *Deactivation
	RenamedTo   string

	key    string // of Identity
	spoken spoken
	parts  []part // of sections, in no order
	packed []byte // a record; what is in the parts counts more than what it says
	packer *pack.Packer
}

// part is what is at hand of a section.
type part struct {
	source                  Source
	auth, hash              string
	sequence                uint64
	sent, received, changed time.Time
	warnings                []string
	interval, learnt        time.Duration

	stable, moving, digest uint64
	outline                *outline
	moved                  []byte // facts that have moved since the record was made, packed; nil: none
	guess                  time.Duration
	gaps                   int
}

// Head returns what is at hand of n, by itself: it has no more.
func (n *Node) Head() *Head {
	h := &Head{
		Identity: n.Identity, FirstSeen: n.FirstSeen, LastSeen: n.LastSeen, Collectives: n.Collectives, Auth: n.Auth,
		Interval: n.Interval, Learnt: n.Learnt, Deactivated: n.Deactivated, RenamedTo: n.RenamedTo, spoken: n.spoken(),
		key: n.Identity.Key(), parts: make([]part, 0, len(n.Sections)),
	}
	for source, s := range n.Sections {
		h.parts = append(h.parts, part{
			source: source, auth: s.Auth, hash: s.Hash, sequence: s.Sequence, sent: s.Sent, received: s.Received, changed: s.Changed,
			warnings: s.Warnings, interval: s.Interval, learnt: s.Learnt,
			stable: s.stable, moving: s.moving, digest: s.digest, outline: s.outline, guess: s.guess, gaps: s.gaps,
		})
	}
	return h
}

// part returns that of a source, nil if it has not spoken. It may be asked of
// nil.
func (h *Head) part(source Source) *part {
	if h == nil {
		return nil
	}
	for i := range h.parts {
		if h.parts[i].source == source {
			return &h.parts[i]
		}
	}
	return nil
}

// with returns h with one part in place of another of its source.
func (h *Head) with(p part) *Head {
	next := *h
	next.parts = slices.Clone(h.parts)
	*next.part(p.source) = p
	next.Learnt = 0
	for _, source := range slices.Backward(precedence[:]) {
		if p := next.part(source); p != nil && p.learnt > 0 {
			next.Learnt = p.learnt
		}
	}
	if p.source.speaks() && p.received.After(next.LastSeen) {
		next.LastSeen = p.received
	}
	return &next
}

// Collides reports whether more than one machine registers as the node; its
// warnings say which.
func (h *Head) Collides() bool { return h.part(collision) != nil }

// interval is the time between a node's registrations, as told, learnt or
// assumed.
func (h *Head) interval(r Rule) time.Duration {
	return orDefault(h.Interval, orDefault(h.Learnt, r.Interval))
}

// head is n as the table keeps it: with what it says packed, which is kept in n
// for the store.
func (n *Node) head(ctx context.Context, p *pack.Packer) *Head {
	h := n.Head()
	h.packed, h.packer = n.pack(ctx, p), p
	return h
}

// headQuickly is head for a node that is not stored.
func (n *Node) headQuickly(p *pack.Packer) *Head {
	h := n.Head()
	h.packed, h.packer = p.Quick(AppendRecord(make([]byte, 0, 16<<10), n)), p
	return h
}

// pack returns the record of n as packed by p.
func (n *Node) pack(ctx context.Context, p *pack.Packer) []byte {
	if n.packer != p {
		n.packed, n.packer = p.Pack(ctx, n.sample(), AppendRecord(make([]byte, 0, 16<<10), n)), p
	}
	return n.packed
}

// sample is the name under which a record may become part of a dictionary:
// empty where others are not like it.
func (n *Node) sample() string {
	if _, unread := n.unread(); len(n.Facts) == 0 && unread == nil {
		return ""
	}
	return n.Identity.Key()
}

// unread returns the facts of a node of which not all were read, and whether
// they are those of a single source; nil: all were.
func (n *Node) unread() (single bool, facts *cursor) {
	tellers := 0
	for _, source := range precedence {
		if s := n.Sections[source]; s != nil && (len(s.Facts) > 0 || s.unread != nil) {
			tellers++
			facts = cmp.Or(s.unread, facts)
		}
	}
	return tellers == 1, facts
}

// Pack returns what a store must keep of n, as [AppendRecord] has it, packed.
// Where that was done before it is not done again.
func Pack(ctx context.Context, p *pack.Packer, n *Node) []byte { return n.pack(ctx, p) }

// Unpack reads what [Pack] returned.
func Unpack(p *pack.Packer, packed []byte) (Node, error) { return unpack(p, packed, everyFact) }

func unpack(p *pack.Packer, packed []byte, w wanted) (Node, error) {
	record, err := p.Unpack(packed)
	if err != nil {
		return Node{}, err
	}
	id, first, sections, err := parseSections(record, w)
	if err != nil {
		return Node{}, err
	}
	n := NewNode(id, first, sections)
	p.Sample(n.sample(), record)
	n.packed, n.packer = packed, p
	return n, nil
}

// node is all that is known. It panics if what is packed has been damaged,
// since memory that can not be trusted is no base for answers.
func (h *Head) node() *Node {
	n := h.read(everyFact)
	n = NewNode(n.Identity, n.FirstSeen, n.Sections)
	return &n
}

// read returns the sections of a node, with those of the facts that are wanted,
// not merged yet.
func (h *Head) read(w wanted) Node {
	record, err := h.packer.Unpack(h.packed)
	if err != nil {
		panic(fmt.Sprintf("registry: unpacking %s: %v", h.Identity, err))
	}
	id, first, sections, err := parseSections(record, w)
	if err != nil {
		panic(fmt.Sprintf("registry: unpacking %s: %v", h.Identity, err))
	}
	for i := range h.parts {
		p := &h.parts[i]
		if s := sections[p.source]; s != nil {
			s.Hash, s.Sequence, s.Sent, s.Received, s.Learnt = p.hash, p.sequence, p.sent, p.received, p.learnt
			s.outline = p.outline
			if err := h.move(s, p, w); err != nil {
				panic(fmt.Sprintf("registry: unpacking %s: %v", h.Identity, err))
			}
			s.stable, s.moving, s.digest, s.guess, s.gaps = p.stable, p.moving, p.digest, p.guess, p.gaps
		}
	}
	return Node{Identity: id, FirstSeen: first, Sections: sections}
}

// move puts into a section the facts that have moved since.
func (h *Head) move(s *Section, p *part, w wanted) error {
	if p.moved == nil {
		return nil
	}
	text, err := h.packer.Unpack(p.moved)
	if err != nil {
		return err
	}
	facts, _, err := newReader(text).factsOf(func(fact string) bool { return w(p.source, fact) })
	if s.Facts == nil {
		s.Facts = map[string]any{}
	}
	maps.Copy(s.Facts, facts)
	return err
}

// Found is a node of an answer. What is in its [Head] is at hand.
type Found struct {
	*Head

	State State

	whole    *Node // nil: it is packed
	compiled bool  // see [Discovery.Compiled]
	sight    *Sight
}

// FoundWhole is an answer's entry for a node that is not packed.
func FoundWhole(n Node) Found { return Found{Head: n.Head(), State: n.State, whole: &n} }

// Node returns all that was known of the node at the time of the answer. It
// takes the better part of a tenth of a millisecond, and some 40 KB.
func (f Found) Node() Node {
	n := f.whole
	if n == nil {
		n = f.node()
	}
	if f.compiled {
		n = n.compiled()
	}
	node := *n
	node.State = f.State
	if f.sight != nil {
		node, _ = f.sight.Of(node)
	}
	return node
}
