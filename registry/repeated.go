package registry

import (
	"context"
	"errors"
	"hash/maphash"
)

// Repeated takes a registration of which only the body is known and who sent
// it: Facts, Classes, Agents, Collectives and Interval are not looked at. If the
// body is, byte by byte but for the values of some facts, what the same source
// last said, that is accepted at a fraction of what [Registry.Register] costs. If
// it is not, or there is anything to warn of, or nothing is known, Repeated
// reports false and has done nothing: then the body is to be decoded and
// registered. It never knows imported documents, which say themselves when a node
// was seen.
func (r *Registry) Repeated(ctx context.Context, reg Registration) (receipt Receipt, known bool, err error) {
	if reg.Body == nil || reg.Source == Import || len(reg.Warnings) > 0 || r.usable() != nil {
		return Receipt{}, false, nil
	}
	reg.Source = orDefault(reg.Source, Daemon)
	err = untilCurrent(func() (err error) {
		receipt, known, err = r.repeated(ctx, reg)
		return err
	})
	return receipt, known, err
}

func (r *Registry) repeated(ctx context.Context, reg Registration) (receipt Receipt, known bool, err error) {
	id, now, digest := Identity(reg.Identity), r.conf.Now(), r.digest(reg.Body)
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()

	head := r.table.head(id.Key())
	old := head.part(reg.Source)
	if old == nil || old.digest == 0 || old.auth != reg.Auth || len(old.warnings) > 0 || head.Deactivated != nil {
		return Receipt{}, false, nil
	}
	m, same := moved{outline: old.outline}, old.digest == digest
	if !same {
		if old.outline == nil {
			return Receipt{}, false, nil
		}
		m, known = r.movedIn(old.outline, reg.Body)
		if !known || !head.alone(reg.Source, m.facts) {
			return Receipt{}, false, nil
		}
	}
	reg.Interval, reg.Facts, reg.Classes, reg.Agents, reg.Collectives = old.interval, nil, nil, nil, nil
	_, next, err := Normalize(reg, now)
	if err != nil || len(next.Warnings) > 0 {
		return Receipt{}, false, nil
	}
	next.Hash, next.stable, next.moving, next.digest, next.outline = old.hash, old.stable, old.moving, digest, m.outline
	h := r.clock()
	if r.conf.Lifecycle.admit(head, old, next, h) != nil || next.Received.Before(old.received) {
		return Receipt{}, false, nil
	}
	next.learn(reg.Source, old, h)
	receipt = Receipt{Next: orDefault(next.Interval, r.conf.Lifecycle.Interval)}
	switch {
	case same:
		err = r.again(ctx, head, reg.Source, next, h)
	case len(m.altered) > 0:
		if known, err = r.alter(ctx, head, reg.Source, next, m, h); !known {
			return Receipt{}, false, nil
		}
		receipt.Changed = true
	default:
		r.counts.unchanged.Add(1)
		r.restless.same(beatKey{id.Key(), reg.Source})
		err = r.settle(ctx, head, r.moves(head, *old, next, m), reg.Source, next, h)
	}
	if errors.Is(err, ErrOvertaken) {
		return Receipt{}, false, nil
	}
	return receipt, true, err
}

// alone reports whether a source is the only one that says some facts of a node:
// what another says may count more. Catalogs and certificates say none, and reports
// no other than the last run.
func (h *Head) alone(source Source, facts map[string]any) bool {
	_, run := facts["last_run"]
	for i := range h.parts {
		switch h.parts[i].source {
		case source, Catalog, Trusted:
		case Report:
			if run {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// moves moves the time stamps of a section, and the facts in it that have moved.
func (r *Registry) moves(head *Head, old part, next *Section, m moved) *Head {
	p := old.touched(next)
	p.moved, p.moving = r.packer.Quick(m.text), 0 // not known: not all facts were read
	head = head.with(p)
	r.table.move(head, m.facts)
	r.beat(head.Identity, old, old.source, next)
	return head
}

// digest is a fingerprint of a body. It means nothing outside of this process,
// and a sender can not aim at one.
func (r *Registry) digest(body []byte) uint64 { return max(1, maphash.Bytes(r.seed, body)) }
