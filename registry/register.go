package registry

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"muster/query"
)

// Register stores what one message says, and returns once it is stored. The
// error is a [*Refusal], which it has recorded, or says why it could not be
// stored: then the registration is not acknowledged, and may be sent again.
//
// A registration that says what the same source said before, but for volatile
// facts, moves only those and time stamps. All readers see that at once; the
// time stamps are in the store within [Config.TouchEvery], the volatile facts
// with the next change.
func (r *Registry) Register(ctx context.Context, reg Registration) (Receipt, error) {
	if err := r.usable(); err != nil {
		return Receipt{}, err
	}
	receipt, err := r.register(ctx, reg)
	if receipt.before != "" {
		r.markRenamed(ctx, receipt.before, reg)
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		r.Refuse(*refusal)
	}
	return receipt, err
}

func (r *Registry) register(ctx context.Context, reg Registration) (receipt Receipt, err error) {
	err = untilCurrent(func() (err error) {
		receipt, err = r.registerOnce(ctx, reg)
		return err
	})
	return receipt, err
}

func (r *Registry) registerOnce(ctx context.Context, reg Registration) (Receipt, error) {
	now := r.conf.Now()
	source := orDefault(reg.Source, Daemon)
	r.redact.clean(&reg)
	id, next, err := Normalize(reg, now)
	if err != nil {
		return Receipt{}, err
	}
	r.printer.print(next)
	if reg.Body != nil {
		next.digest = r.digest(reg.Body)
		r.outlined(reg.Body, next)
	}
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()
	letGo, err := r.hold(ctx, id)
	if err != nil {
		return Receipt{}, fmt.Errorf("storing the registration of %s: %w", id, err)
	}
	defer letGo()

	head := r.table.head(id.Key())
	old := head.part(source)
	if old != nil && old.stable == next.stable {
		next.Hash = old.hash
	} else {
		next.Hash = r.volatile.hash(next)
	}
	h := r.clock()
	if err := r.conf.Lifecycle.admit(head, old, next, h); err != nil {
		return Receipt{}, err
	}
	next.learn(source, old, h)
	receipt := Receipt{Warnings: next.Warnings, Next: orDefault(next.Interval, r.conf.Lifecycle.Interval)}
	if head.part(byOperator) != nil {
		receipt.Warnings = append(slices.Clip(receipt.Warnings), head.deactivatedWarning())
	}
	if old != nil && old.hash == next.Hash && old.auth == next.Auth {
		return receipt, r.again(ctx, head, source, next, h)
	}
	node := &Node{Identity: id, FirstSeen: stamp(now)}
	differ, alike := head.differing(source, next)
	switch {
	case alike:
		node = head.before(source, next, differ)
	case head != nil:
		node = head.node()
	}
	changed := r.unrested(node, node.with(source, next), source, next)
	receipt.Warnings = slices.Concat(changed.Sections[source].Warnings, receipt.Warnings[len(next.Warnings):])
	if source.speaks() {
		changed = changed.revived(next)
	}
	if source == Daemon {
		changed = r.collided(changed, node.Sections[source], next, h)
	}
	if err := r.change(ctx, head, old, node, changed, differ, h); err != nil {
		return Receipt{}, err
	}
	receipt.Changed = true
	if source == Daemon {
		if before, had := r.machines.knows(node.Identity, next.Facts, len(node.Sections) == 0); had {
			receipt.before = before
		}
	}
	return receipt, nil
}

// again takes a registration that says nothing new: it moves what moves, and
// writes only if it changes the node's state or disproves a mark.
func (r *Registry) again(ctx context.Context, head *Head, source Source, next *Section, h *heard) error {
	r.counts.unchanged.Add(1)
	r.restless.same(beatKey{head.Identity.Key(), source})
	return r.settle(ctx, head, r.touch(head, source, next), source, next, h)
}

// settle sees to what follows when a node was touched.
func (r *Registry) settle(ctx context.Context, head, touched *Head, source Source, next *Section, h *heard) error {
	if !source.speaks() {
		return nil
	}
	marked := head.part(renamed) != nil || head.part(collision) != nil || head.part(retired) != nil
	if !marked && r.conf.Lifecycle.state(head, h) == r.conf.Lifecycle.state(touched, h) {
		return nil
	}
	node := touched.node()
	settled := r.settled(*node, next.Received, h).revived(next)
	if len(settled.Sections) == len(node.Sections) && r.conf.Lifecycle.state(head, h) == r.conf.Lifecycle.state(touched, h) {
		return nil
	}
	if err := r.commit(ctx, head.node(), settled, h); err != nil {
		return fmt.Errorf("storing that %s is back: %w", head.Identity, err)
	}
	return nil
}

// lockOf is held by whoever changes a node.
func (r *Registry) lockOf(id Identity) *sync.Mutex {
	return &r.writing[maphash.String(r.seed, id.Key())%uint64(len(r.writing))]
}

// commit stores a node in place of an old one together with what happened, and
// shows it to readers.
func (r *Registry) commit(ctx context.Context, old *Node, changed Node, h *heard) error {
	return r.commitFacts(ctx, old, changed, nil, h)
}

// commitFacts is commit where nothing but some top-level facts differ; none: more
// may differ.
func (r *Registry) commitFacts(ctx context.Context, old *Node, changed Node, differ []string, h *heard) error {
	var happened []Event
	if e, any := r.eventOf(old, &changed, h); any {
		happened = append(happened, e)
	}
	head := changed.head(ctx, r.packer)
	if r.shared != nil {
		return r.replace(ctx, old, changed, head, happened)
	}
	show := func() { r.table.put(head, changed.Document()) }
	if len(differ) > 0 {
		facts := make(map[string]any, len(differ))
		for _, name := range differ {
			facts[name] = changed.Facts[name]
		}
		show = func() { r.table.move(head, facts) }
	}
	return r.record(ctx, happened, show, changed)
}

// change is commitFacts for what a registration changes; old is what its source
// said before, nil if nothing.
func (r *Registry) change(ctx context.Context, head *Head, old *part, node *Node, changed Node, differ []string, h *heard) error {
	err := r.commitFacts(ctx, node, changed, differ, h)
	if err == nil {
		r.counts.changed.Add(1)
		return nil
	}
	if !errors.Is(err, ErrOvertaken) {
		r.counts.failed.Add(1)
		if old != nil {
			r.doubt(head, *old)
		}
	}
	return fmt.Errorf("storing the registration of %s: %w", changed.Identity, err)
}

// doubt deals with a write that failed: the store may hold either version now.
// A hash that nothing has makes sure that the next registration is written,
// whatever it says.
func (r *Registry) doubt(head *Head, unsure part) {
	unsure.hash, unsure.stable, unsure.digest, unsure.outline = "", 0, 0, nil
	r.table.put(head.with(unsure), nil)
}

// touch moves the time stamps of a section that was said again, and what is
// volatile in it. It does neither for one from before the section there is.
func (r *Registry) touch(head *Head, source Source, next *Section) *Head {
	old := *head.part(source)
	if next.Received.Before(old.received) {
		return head
	}
	moved := old.moving != next.moving || !slices.Equal(old.warnings, next.Warnings)
	head = head.with(old.touched(next))
	var says *query.Document
	if moved {
		changed := head.saying(source, *next)
		head, says = changed.headQuickly(r.packer), changed.Document()
	}
	r.table.put(head, says)
	r.beat(head.Identity, old, source, next)
	return head
}

// beat lets the store know in time that a section was said again.
func (r *Registry) beat(id Identity, old part, source Source, s *Section) {
	beat := s.Beat(id, source)
	if !r.knownBeat(old, beat) {
		r.beats.add(beat)
	}
}

// touched is a part with the times of a section that says the same.
func (p part) touched(next *Section) part {
	p.sequence, p.sent, p.received = next.Sequence, next.Sent, next.Received
	p.learnt, p.guess, p.gaps = next.Learnt, next.guess, next.gaps
	p.digest, p.outline = next.digest, next.outline
	return p
}

// saying is the node with a section as it was said again, of which only what is
// volatile may differ.
func (h *Head) saying(source Source, s Section) Node {
	s.Changed = h.part(source).changed
	if len(h.parts) == 1 {
		return NewNode(h.Identity, h.FirstSeen, map[Source]*Section{source: &s})
	}
	return h.node().with(source, &s)
}

// beats are the time stamps that the store does not have yet.
type beats struct {
	mu      sync.Mutex
	pending map[beatKey]Beat
}

type beatKey struct {
	key    string
	source Source
}

func (b *beats) add(beat Beat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending == nil {
		b.pending = map[beatKey]Beat{}
	}
	b.pending[beatKey{beat.Identity.Key(), beat.Source}] = beat
}

// addOlder gives back beats that could not be stored, unless newer ones came.
func (b *beats) addOlder(list []Beat) {
	for _, beat := range list {
		b.mu.Lock()
		_, newer := b.pending[beatKey{beat.Identity.Key(), beat.Source}]
		b.mu.Unlock()
		if !newer {
			b.add(beat)
		}
	}
}

func (b *beats) take() []Beat {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Beat, 0, len(b.pending))
	for _, beat := range b.pending {
		list = append(list, beat)
	}
	b.pending = nil
	return list
}

// keepHouse lets the nodes grow older, and writes time stamps to the store,
// until ctx is done, and what is left then.
func (r *Registry) keepHouse(ctx context.Context) {
	tick := time.NewTicker(r.conf.TouchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			leads := false
			if r.usable() == nil {
				r.sweep()
				leads = r.leads(ctx)
			}
			if leads {
				r.tellMoved(ctx)
				r.purge(ctx)
			}
			if leads || r.direct.is() {
				r.trim(ctx)
			}
			r.count(ctx)
			r.flush(ctx)
			r.keepHearing(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			r.flush(last)
			r.keepHearing(last)
			return
		}
	}
}

// flush writes the time stamps that the store does not have yet. When it can
// not, the nodes would look older than they are after a restart, no more.
func (r *Registry) flush(ctx context.Context) {
	list := r.beats.take()
	if len(list) == 0 {
		return
	}
	if err := r.store.Touch(ctx, list...); err != nil {
		r.beats.addOlder(list)
		r.conf.Log.Warn("could not store when unchanged nodes were last seen", "nodes", len(list), "error", err)
	}
}
