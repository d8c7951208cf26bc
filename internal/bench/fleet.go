//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
	"muster/registry"
	"muster/registry/boltstore"
	"muster/registry/index/indextest"
)

// interval is what the nodes tell.
const interval = 30 * time.Minute

// body is a node as it registers.
func body(doc *query.Document) []byte {
	text, err := json.Marshal(map[string]any{
		"identity": doc.Identity, "facts": doc.Facts, "classes": doc.Classes, "agents": doc.Agents, "collectives": doc.Collectives,
		"interval": int(interval.Seconds()),
	})
	if err != nil {
		panic(err) // a document is JSON
	}
	return text
}

// receive does with a body what the receiver does once its seal was checked.
func receive(ctx context.Context, r *registry.Registry, name string, text []byte) (registry.Receipt, error) {
	proven := registry.Registration{Identity: name, Source: registry.Daemon, Auth: "cert", Sent: time.Now(), Body: text}
	if receipt, known, err := r.Repeated(ctx, proven); known {
		return receipt, err
	}
	reg, err := registry.DecodeRegistration(text)
	if err != nil {
		return registry.Receipt{}, err
	}
	reg.Identity, reg.Source, reg.Auth, reg.Sent, reg.Body = name, proven.Source, proven.Auth, proven.Sent, text
	return r.Register(ctx, reg)
}

// together runs do for 0 to n-1, many at a time, and returns the first error.
func together(n int, do func(i int) error) error {
	const workers = 64
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// fleet is a registry with its nodes.
type fleet struct {
	indextest.Fleet

	dir      string
	nodes    int
	registry *registry.Registry
}

// openFleet fills a registry over an embedded store, and measures that.
func openFleet(ctx context.Context, dir string, nodes int, t *table) (*fleet, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	before := heap()
	store, err := boltstore.Open(ctx, filepath.Join(dir, "nodes.db"))
	if err != nil {
		return nil, err
	}
	r, err := registry.Open(ctx, registry.Config{Store: store, Volatile: volatile()})
	if err != nil {
		return nil, err
	}
	f := &fleet{dir: dir, nodes: nodes, registry: r}
	const group = 5000 // bodies that are made ahead, so that making them does not count
	var spent figure
	for from := 0; from < nodes; from += group {
		bodies, names := f.bodies(from, min(group, nodes-from))
		some, err := once(len(bodies), func() error {
			return together(len(bodies), func(i int) error {
				_, err := receive(ctx, r, names[i], bodies[i])
				return err
			})
		})
		if err != nil {
			return nil, err
		}
		spent.cpu += some.cpu * time.Duration(len(bodies))
		spent.wall += some.wall * time.Duration(len(bodies))
		spent.allocs = some.allocs
	}
	spent.cpu, spent.wall = spent.cpu/time.Duration(nodes), spent.wall/time.Duration(nodes)
	t.time(fmt.Sprintf("%d full nodes: first registration, 64 at a time, committed", nodes), 0, spent, 0)
	each := float64(heap()-before) / float64(nodes)
	t.note("live heap a node", "< 9 KB", fmt.Sprintf("%.2f KB", each/1000), each < 9000)
	if info, err := os.Stat(filepath.Join(dir, "nodes.db")); err == nil {
		t.note("disk a node", "", fmt.Sprintf("%.2f KB", float64(info.Size())/float64(nodes)/1000), true)
	}
	return f, nil
}

// volatile are the facts of the fleet that move all the time.
func volatile() []string { return append(registry.DefaultVolatile(), indextest.Volatile()...) }

// bodies are those of some nodes, and their names.
func (f *fleet) bodies(from, n int) (bodies [][]byte, names []string) {
	for i := range n {
		doc := f.Node(from + i)
		bodies, names = append(bodies, body(doc)), append(names, doc.Identity)
	}
	return bodies, names
}

func (f *fleet) close() error { return f.registry.Close() }

// profiled measures the registrations and a restart, and writes profiles of them.
func (f *fleet) profiled(ctx context.Context, t *table) error {
	file := t.sizes.profile
	if err := profiled(file, func() error { return f.registrations(ctx, t) }); err != nil {
		return err
	}
	if err := f.close(); err != nil {
		return err
	}
	return profiled(file+".load", func() error {
		cost, err := once(f.nodes, func() error { return f.reopen(ctx) })
		t.time("restart, a node", 0, cost, 0)
		return err
	})
}

// reopen opens the store and the registry, and waits for the first answer.
func (f *fleet) reopen(ctx context.Context) error {
	store, err := boltstore.Open(ctx, filepath.Join(f.dir, "nodes.db"))
	if err != nil {
		return err
	}
	r, err := registry.Open(ctx, registry.Config{Store: store, Volatile: volatile()})
	if err != nil {
		return err
	}
	return errors.Join(r.Ready(ctx), r.Close())
}
