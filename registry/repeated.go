package registry

import (
	"context"
	"errors"
	"hash/maphash"
)

// Repeated takes a registration of which only the body is known and who sent
// it: Facts, Classes, Agents, Collectives and Interval are not looked at. If the
// body is, byte by byte, what the same source last said, that is accepted at a
// fraction of what [Registry.Register] costs. If it is not, or there is
// anything to warn of, or nothing is known, Repeated reports false and has done
// nothing: then the body is to be decoded and registered. It never knows
// imported documents, which say themselves when a node was seen.
func (r *Registry) Repeated(ctx context.Context, reg Registration) (receipt Receipt, known bool, err error) {
	if reg.Body == nil || reg.Source == Import || len(reg.Warnings) > 0 || r.usable() != nil {
		return Receipt{}, false, nil
	}
	err = untilCurrent(func() (err error) {
		receipt, known, err = r.repeated(ctx, reg)
		return err
	})
	return receipt, known, err
}

func (r *Registry) repeated(ctx context.Context, reg Registration) (receipt Receipt, known bool, err error) {
	id, source, now := Identity(reg.Identity), orDefault(reg.Source, Daemon), r.conf.Now()
	digest := r.digest(reg.Body)
	lock := r.lockOf(id)
	lock.Lock()
	defer lock.Unlock()

	head := r.table.head(id.Key())
	old := head.part(source)
	if old == nil || old.digest != digest || old.auth != reg.Auth || len(old.warnings) > 0 || head.Deactivated != nil {
		return Receipt{}, false, nil
	}
	reg.Interval, reg.Facts, reg.Classes, reg.Agents, reg.Collectives = old.interval, nil, nil, nil, nil
	_, next, err := Normalize(reg, now)
	if err != nil || len(next.Warnings) > 0 {
		return Receipt{}, false, nil
	}
	next.Hash, next.stable, next.moving, next.digest = old.hash, old.stable, old.moving, digest
	h := r.clock()
	if r.conf.Lifecycle.admit(head, old, next, h) != nil {
		return Receipt{}, false, nil
	}
	next.learn(source, old, h)
	receipt = Receipt{Next: orDefault(next.Interval, r.conf.Lifecycle.Interval)}
	if err = r.again(ctx, head, source, next, h); errors.Is(err, ErrOvertaken) {
		return Receipt{}, false, nil
	}
	return receipt, true, err
}

// digest is a fingerprint of a body. It means nothing outside of this process,
// and a sender can not aim at one.
func (r *Registry) digest(body []byte) uint64 { return max(1, maphash.Bytes(r.seed, body)) }
