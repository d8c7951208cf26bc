package registrytest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
	"muster/registry"
)

// Cluster is a store in memory that several registries share, as a
// [registry.Shared] does; its zero value is empty.
type Cluster struct {
	registry.MemoryStore

	mu     sync.Mutex
	writes int            // how many there were
	last   map[string]int // the last write of each node
	leader *Member
	until  time.Time
	lastID uint64
}

// Member is the store of one registry in a cluster.
type Member struct {
	*Cluster

	Away atomic.Bool // the store can not be reached: everything fails
}

func (m *Member) reach() error {
	if m.Away.Load() {
		return errors.New("the store can not be reached")
	}
	return nil
}

// Member returns another store of the cluster.
func (c *Cluster) Member() *Member { return &Member{Cluster: c} }

var _ registry.Searcher = (*Member)(nil)

// wrote notes that a node was written or deleted.
func (c *Cluster) wrote(id registry.Identity) {
	if c.last == nil {
		c.last = map[string]int{}
	}
	c.writes++
	c.last[id.Key()] = c.writes
}

// has reports whether the node there is one that a registry knows.
func (c *Cluster) has(ctx context.Context, known *registry.Node) bool {
	stored, err := c.nodes(ctx, known.Identity)
	if err != nil || len(stored) == 0 {
		return err == nil && known.Version() == 0
	}
	return stored[0].Version() == known.Version() && !stored[0].LastSeen.After(known.LastSeen)
}

func (c *Cluster) nodes(ctx context.Context, ids ...registry.Identity) ([]registry.Node, error) {
	var nodes []registry.Node
	err := c.Load(ctx, func(n registry.Node) error {
		if slices.ContainsFunc(ids, func(id registry.Identity) bool { return id.Key() == n.Identity.Key() }) {
			nodes = append(nodes, n)
		}
		return nil
	})
	return nodes, err
}

// number gives events their IDs.
func (c *Cluster) number(events []registry.Event) []registry.Event {
	events = slices.Clone(events)
	for i := range events {
		if events[i].ID == 0 {
			c.lastID = max(c.lastID+1, uint64(events[i].At.UnixMicro()))
			events[i].ID = c.lastID
		}
	}
	return events
}

// Replace implements [registry.Shared].
func (m *Member) Replace(ctx context.Context, known, next *registry.Node, happened []registry.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return err
	}
	if !m.has(ctx, known) {
		return registry.ErrOvertaken
	}
	m.wrote(next.Identity)
	return m.MemoryStore.PutEvents(ctx, m.number(happened), *next)
}

// Forget implements [registry.Shared].
func (m *Member) Forget(ctx context.Context, known *registry.Node, gone registry.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return err
	}
	if stored, err := m.nodes(ctx, known.Identity); err != nil || len(stored) == 0 || !m.has(ctx, known) {
		return cmp.Or(err, registry.ErrOvertaken)
	}
	m.wrote(known.Identity)
	if err := m.MemoryStore.Delete(ctx, known.Identity); err != nil {
		return err
	}
	return m.MemoryStore.PutEvents(ctx, m.number([]registry.Event{gone}))
}

// PutEvents implements [registry.Journal].
func (m *Member) PutEvents(ctx context.Context, events []registry.Event, nodes ...registry.Node) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return err
	}
	for _, n := range nodes {
		m.wrote(n.Identity)
	}
	return m.MemoryStore.PutEvents(ctx, m.number(events), nodes...)
}

// Touch implements [registry.Store].
func (m *Member) Touch(ctx context.Context, beats ...registry.Beat) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return err
	}
	for _, b := range beats {
		m.wrote(b.Identity)
	}
	return m.MemoryStore.Touch(ctx, beats...)
}

// Delete implements [registry.Store].
func (m *Member) Delete(ctx context.Context, ids ...registry.Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return err
	}
	for _, id := range ids {
		m.wrote(id)
	}
	return m.MemoryStore.Delete(ctx, ids...)
}

// Nodes implements [registry.Shared].
func (m *Member) Nodes(ctx context.Context, ids ...registry.Identity) ([]registry.Node, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return nil, err
	}
	return m.nodes(ctx, ids...)
}

// Search implements [registry.Searcher]: it hands over all nodes.
func (m *Member) Search(ctx context.Context, _ query.Expr, _ time.Time, add func(registry.Node) error) error {
	if err := m.reach(); err != nil {
		return err
	}
	return m.Load(ctx, add)
}

// Count implements [registry.Searcher].
func (m *Member) Count(ctx context.Context) (n int, err error) {
	err = m.Search(ctx, nil, time.Time{}, func(registry.Node) error { n++; return nil })
	return n, err
}

// Lead implements [registry.Shared].
func (m *Member) Lead(_ context.Context, now time.Time, span time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return false, err
	}
	if m.leader != m && now.Before(m.until) {
		return false, nil
	}
	m.leader, m.until = m, now.Add(span)
	return true, nil
}

// Follow implements [registry.Shared].
func (m *Member) Follow(context.Context) (registry.Follower, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &follower{member: m, read: m.writes, told: m.lastID}, m.reach()
}

type follower struct {
	member *Member
	read   int
	told   uint64
}

// Next implements [registry.Follower].
func (f *follower) Next(ctx context.Context, see func(registry.Changes) error) error {
	var c registry.Changes
	read, told, err := f.since(ctx, &c)
	if err == nil && len(c.Nodes)+len(c.Events) > 0 {
		err = see(c)
	}
	if err != nil {
		return err
	}
	f.read, f.told = read, told
	return nil
}

func (f *follower) since(ctx context.Context, c *registry.Changes) (read int, told uint64, err error) {
	m := f.member
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return 0, 0, err
	}
	for key, at := range m.last {
		if at <= f.read {
			continue
		}
		seen := registry.Seen{Identity: registry.Identity(key)}
		nodes, err := m.nodes(ctx, seen.Identity)
		if err != nil {
			return 0, 0, err
		}
		for _, n := range nodes {
			seen.Identity, seen.Version = n.Identity, n.Version()
			for source, s := range n.Sections {
				seen.Beats = append(seen.Beats, s.Beat(n.Identity, source))
			}
		}
		c.Nodes = append(c.Nodes, seen)
	}
	err = m.Events(ctx, registry.EventRange{After: f.told}, func(e registry.Event) error {
		c.Events = append(c.Events, e)
		return nil
	})
	return m.writes, m.lastID, err
}
