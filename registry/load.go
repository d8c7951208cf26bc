package registry

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"muster/internal/pack"
	"muster/registry/index"
)

// Packed is what a [Store] may do besides: keep nodes as [Pack] makes them, so
// that what the registry has packed is not packed again, and that several are
// read at the same time.
type Packed interface {
	// Packer is what the store packs with.
	Packer() *pack.Packer

	// LoadPacked is Load, but for that read has yet to be called to have the
	// node, by any goroutine, also when LoadPacked has returned.
	LoadPacked(ctx context.Context, add func(id Identity, read Reading) error) error
}

// Reading reads a node from a store.
type Reading func(Unpacking) (Node, error)

// Unpacking is [Unpack], or what reads less of a node.
type Unpacking func(p *pack.Packer, packed []byte) (Node, error)

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
	if err = r.begin(ctx, t.all()); err == nil {
		err = r.redactStored(ctx)
	}
	if err != nil {
		r.loadErr = fmt.Errorf("loading the nodes: %w", err)
	}
	r.count(ctx)
}

// readAll reads the nodes of the store, several at a time, and puts them into
// the index: some that lie together there after the other, since what is at hand
// for one is so for the next.
func (r *Registry) readAll(ctx context.Context, t *table) ([]row, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		mu      sync.Mutex
		nodes   []row
		workers sync.WaitGroup
	)
	work := make(chan []Reading)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for batch := range work {
				rows, err := r.readBatch(ctx, t, batch)
				if err != nil {
					stop(err)
				}
				mu.Lock()
				nodes = append(nodes, rows...)
				mu.Unlock()
			}
		})
	}
	err := r.handOut(ctx, t, func(batch []Reading) error {
		select {
		case work <- batch:
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

// batchOf is how many nodes are read one after the other.
const batchOf = 256

// handOut hands over what is to be read.
func (r *Registry) handOut(ctx context.Context, t *table, do func([]Reading) error) error {
	together := make([][]Reading, index.Parts)
	add := func(id Identity, read Reading) error {
		part := t.index.Part(string(id))
		together[part] = append(together[part], read)
		if len(together[part]) < batchOf {
			return nil
		}
		some := together[part]
		together[part] = nil
		return do(some)
	}
	if err := r.eachOf(ctx, add); err != nil {
		return err
	}
	for _, some := range together {
		if err := do(some); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) eachOf(ctx context.Context, add func(Identity, Reading) error) error {
	if p, ok := r.store.(Packed); ok {
		return p.LoadPacked(ctx, add)
	}
	return r.store.Load(ctx, func(n Node) error {
		return add(n.Identity, func(Unpacking) (Node, error) { return n, nil })
	})
}

func (r *Registry) readBatch(ctx context.Context, t *table, batch []Reading) (rows []row, err error) {
	for _, read := range batch {
		n, at, err := r.readOne(t, read)
		if err != nil {
			return rows, err
		}
		r.machines.knows(n.Identity, n.Facts, false)
		rows = append(rows, rowOf(n.head(ctx, r.packer), at))
	}
	return rows, nil
}

// readOne reads a node and puts it into the index. Of its facts the node itself
// has mostly but those that tell its machine: the others go from the text into
// the index.
func (r *Registry) readOne(t *table, read Reading) (Node, index.Place, error) {
	n, err := read(unpackForIndex)
	if err != nil {
		return n, index.Place{}, err
	}
	single, facts := n.unread()
	switch {
	case facts == nil:
		return n, t.index.Put(n.Document()), nil
	case single:
		at, err := t.index.Fill(n.Document(), func(f *index.Filler) error { return reader{facts}.fill(f, MaxDepth) })
		if err != nil {
			err = fmt.Errorf("reading the facts of %s: %w", n.Identity, err)
		}
		return n, at, err
	}
	if n, err = read(Unpack); err != nil {
		return n, index.Place{}, err
	}
	return n, t.index.Put(n.Document()), nil
}

// unpackForIndex is [Unpack] without the facts that the index alone needs.
func unpackForIndex(p *pack.Packer, packed []byte) (Node, error) {
	return unpack(p, packed, func(source Source, fact string) bool { return source == Trusted || tellsOfMachine[fact] })
}

// fill hands the facts in an object over to the index.
func (r reader) fill(f *index.Filler, left int) error {
	return r.fields("facts", func(key string) error {
		switch c := r.peek(); {
		case c == '{' && left > 0 && !strings.HasPrefix(r.s[r.at:], `{"$date"`):
			f.Enter(key)
			err := r.fill(f, left-1)
			f.Leave()
			return err
		case c == '"':
			text, ok := r.str()
			if !ok {
				return r.wrong()
			}
			f.Text(key, text)
			return nil
		}
		if n, ok := r.short(); ok {
			f.Int(key, n)
			return nil
		}
		v, err := r.value(left)
		f.Value(key, v)
		return err
	})
}
