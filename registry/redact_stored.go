package registry

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// redactionKey is under which name a store keeps by which rules its nodes were
// cleaned.
const redactionKey = "redaction"

// redactStored cleans the nodes that were stored while other rules held, before
// anybody can ask for them. What is cleaned is written at once, so that the
// secrets leave the store, but for pages that it has yet to use again.
func (r *Registry) redactStored(ctx context.Context) error {
	keeper, ok := r.store.(Keeper)
	if !ok || r.direct.is() {
		return nil
	}
	rules, err := keeper.Kept(ctx, redactionKey)
	if err != nil || string(rules) == r.redact.rules {
		return err
	}
	var all []*Head
	if r.redact.known != nil {
		all = r.table.all()
	}
	cleaned, err := r.cleanAll(ctx, all)
	if err != nil {
		return fmt.Errorf("redacting what was stored before: %w", err)
	}
	if len(all) > 0 {
		r.conf.Log.Info("the rules of redaction are others than before: all nodes were looked through", "nodes", len(all), "cleaned", cleaned)
	}
	return keeper.Keep(ctx, redactionKey, []byte(r.redact.rules))
}

// cleanAll cleans nodes, several at a time, and counts those that had to be.
func (r *Registry) cleanAll(ctx context.Context, all []*Head) (cleaned int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	var workers sync.WaitGroup
	work := make(chan *Head)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for head := range work {
				was, err := r.cleanStored(ctx, head.Identity)
				if err != nil {
					stop(err)
				}
				mu.Lock()
				if was {
					cleaned++
				}
				mu.Unlock()
			}
		})
	}
	for _, head := range all {
		select {
		case work <- head:
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	return cleaned, context.Cause(ctx)
}

// cleanStored cleans a node, and reports whether it had to be.
func (r *Registry) cleanStored(ctx context.Context, id Identity) (was bool, err error) {
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	err = untilCurrent(func() error {
		head := r.table.head(id.Key())
		if head == nil || ctx.Err() != nil {
			return nil // another registry has forgotten it, or it is too late
		}
		node := head.node()
		clean, changed := r.redact.sections(*node)
		if was = changed; !changed {
			return nil
		}
		return r.commit(ctx, node, clean, r.clock())
	})
	return was, err
}
