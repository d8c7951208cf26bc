package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"muster/query"
)

// Searcher is what a [Shared] store may do besides: search its nodes itself, for
// fleets that no memory holds. See [Config.Direct].
type Searcher interface {
	Shared

	// Search hands over every node for which e holds, ages being counted to
	// now, and maybe others, in any order. It stops at the first error of add and
	// returns that.
	Search(ctx context.Context, e query.Expr, now time.Time, add func(Node) error) error

	// Count returns how many nodes there are.
	Count(ctx context.Context) (int, error)
}

// ErrDirect is the answer to what needs all nodes in memory, where the store is
// asked for everything.
var ErrDirect = errors.New("this registry keeps no nodes in memory (engine store) and can not do that; ask one with engine memory")

// direct is a registry that keeps no nodes in memory but those that are being
// changed: for so long the table holds them.
type direct struct {
	Searcher // nil: the registry is another

	nodes atomic.Int64 // how many there were, at the last count
	last  atomic.Pointer[failedRead]
}

// failedRead is a reading for an answer that has no room for an error.
type failedRead struct {
	at  time.Time
	err error
}

// failed is why a reading failed in the last second.
func (d *direct) failed(now time.Time) error {
	if f := d.last.Load(); f != nil && now.Sub(f.at) < time.Second {
		return f.err
	}
	return nil
}

// open says whether c wants a direct registry.
func (d *direct) open(c *Config) error {
	if !c.Direct {
		return nil
	}
	s, ok := c.Store.(Searcher)
	if !ok {
		return errors.New("this store can not be searched by itself (engine store); MongoDB can")
	}
	d.Searcher = s
	return nil
}

func (d *direct) is() bool { return d.Searcher != nil }

// hold puts a node into the table as the store has it, until it is let go of.
// The node's lock is held.
func (r *Registry) hold(ctx context.Context, id Identity) (letGo func(), err error) {
	if !r.direct.is() {
		return func() {}, nil
	}
	nodes, err := r.shared.Nodes(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range nodes {
		n := r.beats.over(nodes[i])
		r.table.place(n.head(ctx, r.packer), false)
	}
	return func() { r.table.remove(id.Key()) }, nil
}

// over returns a node with the beats that the store does not have yet.
func (b *beats) over(n Node) Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	for source := range n.Sections {
		if beat, ok := b.pending[beatKey{n.Identity.Key(), source}]; ok {
			n = n.Touched(beat)
		}
	}
	return n
}

// searched are the nodes in the store for which a filter that does not ask for
// the state holds, in the collectives of d and some states.
func (r *Registry) searched(ctx context.Context, d Discovery, one asked, now time.Time, h *heard) (found []*Head, err error) {
	var doc query.Document // one for all, since Matches keeps nothing of it
	pushed := one.filter
	if d.Compiled {
		pushed = beyondClasses(pushed)
	}
	if len(d.Collectives) > 0 {
		pushed = query.And{pushed, inCollectives(d.Collectives)}
	}
	err = r.direct.Search(ctx, pushed, now, func(n Node) error {
		head := n.Head()
		if !slices.Contains(one.states, r.conf.Lifecycle.state(head, h)) || !inOneOf(n.Collectives, d.Collectives) {
			return nil
		}
		seen := &n
		if d.Compiled {
			seen = n.compiled()
		}
		if seen.fill(&doc, ""); query.Matches(one.filter, &doc, now) {
			found = append(found, n.head(ctx, r.packer))
		}
		return nil
	})
	slices.SortFunc(found, func(a, b *Head) int { return strings.Compare(a.Identity.Key(), b.Identity.Key()) })
	return found, err
}

// Inspect returns one node, in whatever state it is, as Node does; from the
// store, where that is asked for everything. The error wraps [ErrNoNode] if
// there is none.
func (r *Registry) Inspect(ctx context.Context, id string) (Node, error) {
	if err := r.usable(); err != nil {
		return Node{}, err
	}
	if !r.direct.is() {
		n, ok := r.Node(id)
		if !ok {
			return n, ErrNoNode
		}
		return n, nil
	}
	nodes, err := r.shared.Nodes(ctx, Identity(id))
	if err != nil {
		return Node{}, err
	}
	if len(nodes) == 0 {
		return Node{}, ErrNoNode
	}
	n := r.beats.over(nodes[0])
	n.State = r.stateOf(n.Head())
	return n, nil
}

// storedWait is how long a node may take to be read.
const storedWait = 5 * time.Second

// storedNode is Node where the store is asked for everything.
func (r *Registry) storedNode(id string) (Node, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), storedWait)
	defer cancel()
	n, err := r.Inspect(ctx, id)
	if err != nil && !errors.Is(err, ErrNoNode) {
		r.direct.last.Store(&failedRead{r.conf.Now(), err})
	}
	return n, err == nil
}

// needsMemory returns ErrDirect where the registry keeps no nodes.
func (r *Registry) needsMemory() error {
	if r.direct.is() {
		return ErrDirect
	}
	return nil
}

// count notes how many nodes there are, for Stats.
func (r *Registry) count(ctx context.Context) {
	if !r.direct.is() {
		return
	}
	n, err := r.direct.Count(ctx)
	if err != nil {
		r.conf.Log.Warn("could not count the nodes", "error", err)
		return
	}
	r.direct.nodes.Store(int64(n))
}
