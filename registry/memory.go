package registry

import (
	"context"
	"maps"
	"sync"
)

// MemoryStore is a [Store] that forgets everything when the process ends.
// Its zero value is empty and ready. It can be opened again after Close.
type MemoryStore struct {
	mu    sync.Mutex
	nodes map[string]Node
	kept  map[string][]byte

	journal memoryJournal
}

// Load implements [Store].
func (m *MemoryStore) Load(ctx context.Context, add func(Node) error) error {
	m.mu.Lock()
	nodes := maps.Clone(m.nodes)
	m.mu.Unlock()
	for _, n := range nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := add(n); err != nil {
			return err
		}
	}
	return nil
}

// Put implements [Store].
func (m *MemoryStore) Put(ctx context.Context, nodes ...Node) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nodes == nil {
		m.nodes = map[string]Node{}
	}
	for _, n := range nodes {
		m.nodes[n.Identity.Key()] = n
	}
	return nil
}

// Touch implements [Store].
func (m *MemoryStore) Touch(ctx context.Context, beats ...Beat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range beats {
		if n, ok := m.nodes[b.Identity.Key()]; ok {
			m.nodes[b.Identity.Key()] = n.Touched(b)
		}
	}
	return nil
}

// Delete implements [Store].
func (m *MemoryStore) Delete(ctx context.Context, ids ...Identity) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.nodes, id.Key())
	}
	return nil
}

// Keep implements [Keeper].
func (m *MemoryStore) Keep(_ context.Context, name string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	m.kept[name] = value
	return nil
}

// Kept implements [Keeper].
func (m *MemoryStore) Kept(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[name], nil
}

// Close implements [Store].
func (m *MemoryStore) Close() error { return nil }
