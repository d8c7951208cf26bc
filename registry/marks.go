package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
		undone := n.without(reactivated)
		return undone.with(byOperator, &Section{Auth: by, Changed: now, Received: now})
	})
}

// Reactivate undoes [Registry.Deactivate], and the mark on a node that seems to
// have got another name. Errors are as there.
func (r *Registry) Reactivate(ctx context.Context, id, by string) error {
	now := stamp(r.conf.Now())
	err := r.mark(ctx, id, "reactivating", func(n *Node) Node {
		if n.Deactivated == nil && n.RenamedTo == "" {
			return *n
		}
		undone := n.without(byOperator, retired, renamed)
		return undone.with(reactivated, &Section{Auth: by, Changed: now, Received: now})
	})
	if err == nil {
		r.conf.Log.Info("a node was reactivated", "node", id, "by", by)
	}
	return err
}

// Retire takes a node out of what readers get until it is heard of again, as
// one who cleans up after it says at a time of their own clock. It does nothing
// where the node spoke after that, or is deactivated already. Errors are those
// of [Registry.Deactivate].
func (r *Registry) Retire(ctx context.Context, id, by string, at time.Time) error {
	now := stamp(r.conf.Now())
	at = stamp(at)
	if at.IsZero() || at.After(now.Add(maxSkew)) {
		at = now
	}
	return r.mark(ctx, id, "deactivating", func(n *Node) Node {
		if n.Deactivated != nil || n.Head().saidAfter(at) {
			return *n
		}
		return n.with(retired, &Section{Auth: by, Sent: at, Changed: now, Received: now})
	})
}

// saidAfter reports whether any source spoke of the node after a time.
func (h *Head) saidAfter(at time.Time) bool {
	return slices.ContainsFunc(h.parts, func(p part) bool {
		return p.source.speaks() && orDefault(p.sent, p.received).After(at)
	})
}

// said is when the section was said: by the sender's clock, if that is known.
func (s *Section) said() time.Time { return orDefault(s.Sent, s.Received) }

// revived takes off the mark of [Registry.Retire] if a section was said later.
func (n Node) revived(next *Section) Node {
	if s := n.Sections[retired]; s != nil && next.said().After(s.Sent) {
		return n.without(retired)
	}
	return n
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
	if maps.Equal(changed.Sections, n.Sections) {
		return nil
	}
	if err := r.commit(ctx, n, changed, r.clock()); err != nil {
		return fmt.Errorf("%s %s: %w", doing, n.Identity, err)
	}
	return nil
}

// deactivatedWarning is for the node itself, in its receipt.
func (h *Head) deactivatedWarning() string {
	return fmt.Sprintf("%s deactivated this node on %s: it is not in answers until it is reactivated",
		h.Deactivated.By, h.Deactivated.At.Format(time.DateOnly))
}
