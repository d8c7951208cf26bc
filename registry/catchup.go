package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Neighbour is another registry that hears the same nodes.
type Neighbour interface {
	Heads(ctx context.Context) (io.ReadCloser, error)          // what [Registry.Heads] writes
	Pass(ctx context.Context, w Wanted) (io.ReadCloser, error) // what [Registry.Pass] writes
}

// CaughtUp says what a registry learnt from a neighbour.
type CaughtUp struct {
	Nodes   int // that the neighbour has
	Fetched int // of these, nodes of which something was not known
	Changed int // nodes that are not what they were
	Events  int // from before this registry could hear
}

// CatchUp learns from a neighbour what this registry missed: nodes, sections
// that are newer or better proven, operators' marks, and when nodes could be
// heard. What it takes goes by the rules for what is heard; what it knows
// better stays.
//
// First says that this registry has heard nothing since it was opened. Then it
// takes over the neighbour's history of the time between, and the nodes as they
// are after it; otherwise what it learns is an event of now.
//
// It may be called again at any time, and is cheap where nothing was missed.
func (r *Registry) CatchUp(ctx context.Context, from Neighbour, first bool) (CaughtUp, error) {
	if err := r.usable(); err != nil {
		return CaughtUp{}, err
	}
	c, hear := &catching{Registry: r, from: from}, r.hearWith
	if nodes, _ := r.table.state(); nodes == 0 {
		hear = r.hearAgain // there was nobody to be heard
	}
	head, err := c.compare(ctx)
	if err == nil && first && head.At != nil {
		err = c.history(ctx, head.Last, *head.At)
	}
	for names := range slices.Chunk(c.missed, maxWanted) {
		if err == nil {
			err = c.fetch(ctx, names)
		}
	}
	if err == nil {
		err = hear(head.Hearing)
	}
	if err != nil {
		return c.done, fmt.Errorf("catching up: %w", err)
	}
	return c.done, nil
}

// maxWanted is how many nodes are asked for at once.
const maxWanted = 500

// catching is one time of catching up.
type catching struct {
	*Registry
	from   Neighbour
	missed []string
	known  time.Time // the history is known until then, by the neighbour's clock
	done   CaughtUp
}

// compare reads the neighbour's heads, and notes what was missed.
func (c *catching) compare(ctx context.Context) (backupLine, error) {
	body, err := c.from.Heads(ctx)
	if err != nil {
		return backupLine{}, err
	}
	b, err := openBackup(body, kindHeads)
	if err == nil {
		h := c.clock()
		err = b.each(func(head Node) error {
			c.done.Nodes++
			lacks, err := c.lacks(ctx, &head, h)
			if lacks {
				c.missed = append(c.missed, string(head.Identity))
			}
			return errors.Join(err, context.Cause(ctx))
		}, func(Event) error { return nil })
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return backupLine{}, err
	}
	return b.head, nil
}

// lacks reports whether a head tells of more than is known of a node. Where it
// tells only that the node said the same again, it takes that.
func (c *catching) lacks(ctx context.Context, head *Node, h *heard) (bool, error) {
	lock := c.lockOf(head.Identity)
	lock.Lock()
	defer lock.Unlock()
	known := c.table.head(head.Identity.Key())
	if known == nil {
		return !c.purgeable(head.Head(), h), nil
	}
	for source, s := range head.Sections {
		if !c.takes(known, source, s, h) {
			continue
		}
		old := known.part(source)
		if old == nil || old.hash != s.Hash || old.auth != s.Auth || !source.speaks() {
			return true, nil
		}
		next := &Section{
			Sequence: s.Sequence, Sent: s.Sent, Received: c.notAhead(s.Received),
			Warnings: old.warnings, Learnt: old.learnt, moving: old.moving, guess: old.guess, gaps: old.gaps,
		}
		if err := c.again(ctx, known, source, next, h); err != nil {
			return false, err
		}
		known = c.table.head(head.Identity.Key())
	}
	return false, nil
}

// history takes over the neighbour's events between this registry's last one and
// the neighbour's last at a moment.
func (c *catching) history(ctx context.Context, until uint64, at time.Time) error {
	_, last, err := c.eventBounds(ctx)
	if errors.Is(err, ErrNoHistory) || err == nil && until <= last {
		return nil
	}
	var body io.ReadCloser
	if err == nil {
		body, err = c.from.Pass(ctx, Wanted{After: last, Until: until})
	}
	if err != nil {
		c.conf.Log.Info("a neighbour's history is not taken over", "error", err)
		return nil
	}
	b, err := openBackup(body, kindBackup)
	var events []Event
	keep := func() error {
		if len(events) == 0 {
			return nil
		}
		c.done.Events += len(events)
		c.events.goOnAfter(events[len(events)-1].ID)
		return c.putOld(ctx, &events)
	}
	if err == nil {
		err = b.each(func(Node) error { return nil }, func(e Event) error {
			if e.ID <= last {
				return nil
			}
			e.Changes = c.redact.changes(e.Changes)
			if events = append(events, e); len(events) < 1000 {
				return nil
			}
			return keep()
		})
	}
	if err == nil {
		err = keep()
	}
	c.known = at
	return errors.Join(err, body.Close())
}

// goOnAfter makes sure that the next event is later than one.
func (s *events) goOnAfter(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, id)
}

// fetch gets some nodes from the neighbour and takes what is better in them.
func (c *catching) fetch(ctx context.Context, names []string) error {
	body, err := c.from.Pass(ctx, Wanted{Nodes: names})
	if err != nil {
		return err
	}
	b, err := openBackup(body, kindBackup)
	if err == nil {
		changed := 0
		changed, err = inParallel(func(put func(Node) error) error {
			return b.each(func(n Node) error {
				c.done.Fetched++
				n, _ = c.redact.sections(n)
				return put(n)
			}, func(Event) error { return nil })
		}, func(n Node) (bool, error) { return c.take(ctx, &n) })
		c.done.Changed += changed
	}
	return errors.Join(err, body.Close())
}

// take makes of a node what it is with what a neighbour knows better.
func (c *catching) take(ctx context.Context, theirs *Node) (changed bool, err error) {
	before, err := c.takeLocked(ctx, theirs, &changed)
	if before != "" {
		c.markRenamed(ctx, before, Registration{Identity: string(theirs.Identity), Facts: theirs.Facts})
	}
	return changed, err
}

// takeLocked returns, for a node that was not known, the one that was this
// machine before.
func (c *catching) takeLocked(ctx context.Context, theirs *Node, changed *bool) (before Identity, err error) {
	lock := c.lockOf(theirs.Identity)
	lock.Lock()
	defer lock.Unlock()
	h := c.clock()
	node := c.table.node(theirs.Identity.Key())
	isNew := node == nil
	if isNew {
		if c.purgeable(theirs.Head(), h) {
			return "", nil
		}
		node = &Node{Identity: theirs.Identity, FirstSeen: theirs.FirstSeen}
	}
	merged, newest, better := c.merged(node, theirs, h)
	if !better {
		return "", nil
	}
	*changed = true
	if newest.After(c.known) {
		err = c.commit(ctx, node, merged, h)
	} else {
		head := merged.head(ctx, c.packer)
		err = c.record(ctx, nil, func() { c.table.put(head, merged.Document()) }, merged)
	}
	if err != nil {
		return "", fmt.Errorf("storing what a neighbour knows of %s: %w", node.Identity, err)
	}
	if s := theirs.Sections[Daemon]; s != nil {
		if name, had := c.machines.knows(merged.Identity, s.Facts, isNew); had {
			before = name
		}
	}
	return before, nil
}

// merged is a node with what a neighbour knows better, if anything, and when the
// newest of that changed.
func (c *catching) merged(node, theirs *Node, h *heard) (result Node, newest time.Time, better bool) {
	result = *node
	if first := theirs.FirstSeen; first.Before(result.FirstSeen) {
		result.FirstSeen = first
	}
	for _, source := range takenOver {
		s := theirs.Sections[source]
		if s == nil || !c.takes(result.Head(), source, s, h) {
			continue
		}
		next := *s
		next.Received, next.Changed = c.notAhead(s.Received), c.notAhead(s.Changed)
		if source.speaks() || source == Trusted {
			c.printer.print(&next)
			next.Hash = c.volatile.hash(&next)
		}
		old := result.Sections[source]
		if old != nil && old.Hash != next.Hash && !next.Changed.After(old.Received) {
			next.Changed = next.Received // the neighbour missed that it was another in between
		}
		if source == byOperator || source == reactivated {
			result = result.without(byOperator, reactivated)
		}
		result = result.with(source, &next)
		if source.speaks() {
			result = result.revived(&next)
		}
		if source == Daemon && len(node.Sections) > 0 {
			result = c.collided(result, old, &next, h)
		}
		newest, better = latest(newest, next.Changed), true
	}
	return result, newest, better
}

// takenOver are the sections that are taken from neighbours, in this order:
// marks are judged by what the node itself said last.
var takenOver = []Source{Trusted, Import, Report, Catalog, PuppetFacts, Daemon, byOperator, reactivated, retired, renamed, collision}

// takes reports whether a neighbour's section is better than what is known.
func (r *Registry) takes(node *Head, source Source, theirs *Section, h *heard) bool {
	old, rule := node.part(source), r.conf.Lifecycle.rule(node.Collectives)
	switch {
	case source == byOperator || source == reactivated:
		return theirs.Received.After(latest(node.received(byOperator), node.received(reactivated)))
	case source == renamed:
		return old == nil && theirs.Received.After(latest(node.received(Daemon), node.received(reactivated)))
	case source == retired:
		return old == nil && theirs.Received.After(node.received(reactivated)) && !node.saidAfter(theirs.Sent)
	case source == collision:
		return theirs.Received.After(node.received(collision)) && h.age(theirs.Received) < 3*node.interval(rule)
	case !source.speaks() && source != Trusted:
		return false // of a later version of this program
	case old == nil:
		return true
	case proof(theirs.Auth) > proof(old.auth) && h.age(theirs.Received) < rule.ExpireAfter:
		return true // heard in time, it would not have been replaced
	}
	return r.conf.Lifecycle.admit(node, old, theirs, h) == nil && saidLater(old, theirs)
}

// saidLater reports whether a section was certainly said after another.
func saidLater(old *part, next *Section) bool {
	switch {
	case old.sequence != 0 && next.Sequence != 0:
		return next.Sequence != inReach(old.sequence, old.received)
	case !old.sent.IsZero() && !next.Sent.IsZero():
		return next.Sent.After(old.sent)
	}
	return next.Received.After(old.received)
}

// received is when a source last spoke; zero: it did not.
func (h *Head) received(source Source) time.Time {
	if p := h.part(source); p != nil {
		return p.received
	}
	return time.Time{}
}

// notAhead is a moment of a neighbour's clock, or now where that is ahead.
func (r *Registry) notAhead(t time.Time) time.Time {
	if now := stamp(r.conf.Now()); t.After(now) {
		return now
	}
	return t
}

// hearWith counts the time in which a neighbour could hear as heard.
func (r *Registry) hearWith(kept []byte) error {
	theirs, err := parseHeard(kept)
	if err != nil {
		return err
	}
	now := r.conf.Now()
	l := &r.life
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.now.Load()
	switch {
	case l.deaf:
		l.now.Store(old.with(theirs, now).stopped(isDeaf))
		return nil
	case l.frozen:
		return nil
	}
	next := old.until(now).with(theirs, now)
	c := r.census(old, next)
	if c.mass(r.conf.Lifecycle.FreezeShare) && !l.accepted {
		r.conf.Log.Warn("a neighbour could hear while this registry could not, and knows too many nodes to be silent: their states stay for now", "silent", c.overdue)
		return nil
	}
	l.now.Store(next)
	l.counts.states = c.states
	l.moved = append(l.moved, c.moved...)
	return nil
}
