//go:build linux

package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"muster/query"
	"muster/registry/index/indextest"
)

// registrations measures what comes after the seal was checked, to the commit.
func (f *fleet) registrations(ctx context.Context, t *table) error {
	n := min(4000, f.nodes/4)
	for _, kind := range []struct {
		what   string
		target time.Duration
		body   func(i int) *query.Document
		first  int
		change bool
	}{
		{"identical", 50 * time.Microsecond, f.Node, 0, false},
		{"only volatile facts moved", 200 * time.Microsecond, indextest.Fleet{Tick: 1}.Node, 0, false},
		{"10 stable facts changed", 300 * time.Microsecond, f.changed, n, true},
	} {
		var bodies [][]byte
		var names []string
		for i := range n {
			doc := kind.body(kind.first + i)
			bodies, names = append(bodies, body(doc)), append(names, doc.Identity)
		}
		var otherwise atomic.Int64
		cost, err := once(n, func() error {
			return together(n, func(i int) error {
				receipt, err := receive(ctx, f.registry, names[i], bodies[i])
				if receipt.Changed != kind.change {
					otherwise.Add(1)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		if otherwise.Load() > 0 {
			return fmt.Errorf("%s: %d registrations were taken otherwise", kind.what, otherwise.Load())
		}
		t.time("registration: "+kind.what, kind.target, cost, 0)
	}
	return nil
}

// changed is a node of which 10 facts are others.
func (f *fleet) changed(i int) *query.Document {
	doc := f.Node(i)
	for k, name := range []string{"rack", "tier", "timezone", "kernelrelease", "serialnumber", "puppetversion", "contact", "fqdn", "ipaddress", "macaddress"} {
		doc.Facts[name] = fmt.Sprint("changed", i*10+k)
	}
	return doc
}

// readYourWrites registers something new and asks for it at once.
func (f *fleet) readYourWrites(ctx context.Context, t *table) error {
	const among = 500
	var stale atomic.Int64
	docs := make([]*query.Document, among)
	locks := make([]sync.Mutex, among)
	for i := range docs {
		docs[i] = f.Node(i)
	}
	start := time.Now()
	err := together(t.sizes.trials, func(i int) error {
		k := i % among
		locks[k].Lock()
		defer locks[k].Unlock()
		docs[k].Facts["trial"] = int64(i)
		if _, err := receive(ctx, f.registry, docs[k].Identity, body(docs[k])); err != nil {
			return err
		}
		found, err := f.registry.Count(ctx, anyState(parse(fmt.Sprint("trial=", i))))
		if found != 1 {
			stale.Add(1)
		}
		return err
	})
	t.note(fmt.Sprintf("read your writes: %d trials in %.3g s", t.sizes.trials, time.Since(start).Seconds()), "0 stale", fmt.Sprintf("%d stale", stale.Load()), stale.Load() == 0)
	return err
}

// underLoad asks while 3,000 registrations a second arrive, 1 in 10 changed.
func (f *fleet) underLoad(ctx context.Context, t *table) error {
	const rate, writers = 3000, 32
	n := min(6000, f.nodes)
	same, _ := f.bodies(0, n)
	other := make([][]byte, n)
	names := make([]string, n)
	for i := range n {
		doc := f.changed(i)
		other[i], names[i] = body(doc), doc.Identity
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(t.sizes.seconds)*time.Second)
	defer stop()
	var all sync.WaitGroup
	var next, done, failed atomic.Int64
	began := time.Now()
	for range writers {
		all.Go(func() {
			for i := next.Add(1); ctx.Err() == nil; i = next.Add(1) {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / rate)))
				k, text := int(i)%n, same
				if i%10 == 0 && (i/int64(n))%2 == 0 {
					text = other
				}
				if _, err := receive(ctx, f.registry, names[k], text[k]); err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	var walls []float64
	for i := 0; ctx.Err() == nil; i++ {
		d := anyState(parse(questions[i%len(questions)].text))
		at := time.Now()
		if _, err := f.registry.Count(ctx, d); err != nil {
			break
		}
		walls = append(walls, float64(time.Since(at)))
		time.Sleep(2 * time.Millisecond)
	}
	all.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%d registrations failed", failed.Load())
	}
	p50, p99 := time.Duration(percentile(walls, 50)), time.Duration(percentile(walls, 99))
	t.note(fmt.Sprintf("queries while %d registrations a second arrive (%d did): p50", rate, done.Load()/int64(t.sizes.seconds)), "", short(p50), true)
	t.note(fmt.Sprintf("the same: p99, on the wall, %d processors", runtime.GOMAXPROCS(0)), "< 10 ms", short(p99), p99 < 10*time.Millisecond)
	return nil
}
