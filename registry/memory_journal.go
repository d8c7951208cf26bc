package registry

import (
	"context"
	"slices"
	"sort"
)

// memoryJournal keeps events in memory.
type memoryJournal struct {
	list  []Event // by ID
	bytes int64
}

// size is about what an event takes.
func (e *Event) size() int64 {
	n := int64(100 + len(e.Identity))
	for _, c := range e.Changes {
		n += int64(60 + len(c.Path) + len(c.Old) + len(c.New))
	}
	return n
}

// after is where in list the events with larger IDs begin.
func (j *memoryJournal) after(id uint64) int {
	return sort.Search(len(j.list), func(i int) bool { return j.list[i].ID > id })
}

// PutEvents implements [Journal].
func (m *MemoryStore) PutEvents(ctx context.Context, events []Event, nodes ...Node) error {
	if err := m.Put(ctx, nodes...); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range events {
		m.journal.list = slices.Insert(m.journal.list, m.journal.after(e.ID), e)
		m.journal.bytes += e.size()
	}
	return nil
}

// Events implements [Journal].
func (m *MemoryStore) Events(ctx context.Context, want EventRange, add func(Event) error) error {
	m.mu.Lock()
	list := m.journal.list[m.journal.after(want.After):]
	if want.Until > 0 {
		list = list[:max(0, m.journal.after(want.Until)-(len(m.journal.list)-len(list)))]
	}
	list = slices.Clone(list)
	m.mu.Unlock()
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if want.Identity != "" && e.Identity.Key() != want.Identity.Key() {
			continue
		}
		if err := add(e); err != nil {
			return err
		}
	}
	return nil
}

// TrimEvents implements [Journal].
func (m *MemoryStore) TrimEvents(_ context.Context, before uint64, most int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := &m.journal
	gone := 0
	for gone < len(j.list) && (j.list[gone].ID < before || j.bytes > most) {
		j.bytes -= j.list[gone].size()
		gone++
	}
	j.list = slices.Delete(j.list, 0, gone)
	return nil
}

// EventBounds implements [Journal].
func (m *MemoryStore) EventBounds(context.Context) (first, last uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.journal.list); n > 0 {
		return m.journal.list[0].ID, m.journal.list[n-1].ID, nil
	}
	return 0, 0, nil
}
