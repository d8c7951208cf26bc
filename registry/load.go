package registry

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"muster/internal/pack"
)

// Packed is what a [Store] may do besides: keep nodes as [Pack] makes them, so
// that what the registry has packed is not packed again, and that several are
// read at the same time.
type Packed interface {
	// Packer is what the store packs with.
	Packer() *pack.Packer

	// LoadPacked is Load, but for that read has yet to be called to have the
	// node, by any goroutine, also when LoadPacked has returned.
	LoadPacked(ctx context.Context, add func(read func() (Node, error)) error) error
}

// packerOf is what the registry packs with.
func packerOf(s Store) (*pack.Packer, error) {
	if p, ok := s.(Packed); ok {
		return p.Packer(), nil
	}
	return pack.New(pack.Config{Largest: MaxRecord})
}

// MaxRecord is the size of the largest record of a node, in bytes, before it is
// packed.
const MaxRecord = 4 * MaxBody

// load reads the store into the table.
func (r *Registry) load(ctx context.Context) {
	defer close(r.loaded)
	t := newTable()
	t.bare = r.direct.is()
	err := r.startFollowing(ctx)
	var nodes []row
	if err == nil && !t.bare {
		nodes, err = r.readAll(ctx, t)
	}
	if err != nil {
		r.loadErr = fmt.Errorf("loading the nodes: %w", err)
		return
	}
	t.fill(nodes)
	r.table = t
	if err := r.begin(ctx, t.all()); err != nil {
		r.loadErr = fmt.Errorf("loading the nodes: %w", err)
	}
	r.count(ctx)
}

// readAll reads the nodes of the store, several at a time, and puts them into
// the index.
func (r *Registry) readAll(ctx context.Context, t *table) ([]row, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		mu      sync.Mutex
		nodes   []row
		workers sync.WaitGroup
	)
	work := make(chan func() (Node, error), 64)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for read := range work {
				n, err := read()
				if err != nil {
					stop(err)
					continue
				}
				at := t.index.Put(n.Document())
				r.machines.knows(n.Identity, n.Facts, false)
				head := n.head(ctx, r.packer)
				mu.Lock()
				nodes = append(nodes, row{head, at})
				mu.Unlock()
			}
		})
	}
	err := r.handOut(ctx, func(read func() (Node, error)) error {
		select {
		case work <- read:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	workers.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return nodes, err
}

func (r *Registry) handOut(ctx context.Context, add func(read func() (Node, error)) error) error {
	if p, ok := r.store.(Packed); ok {
		return p.LoadPacked(ctx, add)
	}
	return r.store.Load(ctx, func(n Node) error {
		return add(func() (Node, error) { return n, nil })
	})
}
