package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoNode is for operations on a node that is not there.
var ErrNoNode = errors.New("no such node")

// Deactivation is an operator's word that a node is no more.
type Deactivation struct {
	By string
	At time.Time
}

// Deactivate takes a node out of what readers get, whether or not it goes on
// registering, until it is reactivated. By is who says so. The error wraps
// [ErrNoNode], or says why it could not be stored.
func (r *Registry) Deactivate(ctx context.Context, id, by string) error {
	now := stamp(r.conf.Now())
	return r.mark(ctx, id, "deactivating", func(n *Node) Node {
		if n.Deactivated != nil {
			return *n
		}
		return n.with(byOperator, &Section{Auth: by, Changed: now, Received: now})
	})
}

// Reactivate undoes [Registry.Deactivate], and the mark on a node that seems to
// have got another name. Errors are as there.
func (r *Registry) Reactivate(ctx context.Context, id, by string) error {
	err := r.mark(ctx, id, "reactivating", func(n *Node) Node { return n.without(byOperator, renamed) })
	if err == nil {
		r.conf.Log.Info("a node was reactivated", "node", id, "by", by)
	}
	return err
}

// markRenamed marks a node whose machine has begun to register under another
// name. It is out of answers when its next registrations do not come.
func (r *Registry) markRenamed(ctx context.Context, old Identity, reg Registration) {
	now, next := stamp(r.conf.Now()), reg.Identity
	err := r.mark(ctx, string(old), "marking", func(n *Node) Node {
		if machineOf(n.Facts).id != machineOf(reg.Facts).id {
			return *n // it is another machine by now
		}
		return n.with(renamed, &Section{
			Auth: next, Changed: now, Received: now,
			Warnings: []string{fmt.Sprintf("the machine that registered as this node registers as %s now", next)},
		})
	})
	if err != nil && !errors.Is(err, ErrNoNode) {
		r.conf.Log.Warn("could not mark a node that got another name", "node", old, "name", next, "error", err)
	}
}

// mark changes the registry's own sections of a node.
func (r *Registry) mark(ctx context.Context, name, doing string, change func(*Node) Node) error {
	if err := r.usable(); err != nil {
		return err
	}
	return untilCurrent(func() error { return r.markOnce(ctx, Identity(name), doing, change) })
}

func (r *Registry) markOnce(ctx context.Context, id Identity, doing string, change func(*Node) Node) error {
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	letGo, err := r.hold(ctx, id)
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, quoted(string(id)), err)
	}
	defer letGo()
	n := r.table.node(id.Key())
	if n == nil {
		return fmt.Errorf("%s %s: %w", doing, quoted(string(id)), ErrNoNode)
	}
	changed := change(n)
	if len(changed.Sections) == len(n.Sections) {
		return nil
	}
	if err := r.commit(ctx, n, changed, r.clock()); err != nil {
		return fmt.Errorf("%s %s: %w", doing, n.Identity, err)
	}
	return nil
}

// deactivatedWarning is for the node itself, in its receipt.
func (n *Head) deactivatedWarning() string {
	return fmt.Sprintf("%s deactivated this node on %s: it is not in answers until it is reactivated",
		n.Deactivated.By, n.Deactivated.At.Format(time.DateOnly))
}
