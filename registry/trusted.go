package registry

import (
	"context"
	"errors"
)

// Trust stores trusted facts of a node: what its certificate, a forwarder or an
// operator says of it, which the node itself can not. reg is the registration
// that they came with, with these facts in it. Facts that are proven less well
// than those that are known, or older, are passed over.
func (r *Registry) Trust(ctx context.Context, reg Registration) error {
	if err := r.usable(); err != nil {
		return err
	}
	if len(reg.Facts) == 0 {
		if has, err := r.hasTrusted(ctx, Identity(reg.Identity)); err != nil || !has {
			return err // there was nothing, and there is nothing
		}
	}
	_, err := r.register(ctx, Registration{
		Identity: reg.Identity, Source: Trusted, Auth: reg.Auth, Sequence: reg.Sequence, Sent: reg.Sent, Facts: reg.Facts,
	})
	if _, refused := errors.AsType[*Refusal](err); refused {
		return nil
	}
	return err
}

// hasTrusted reports whether there are trusted facts of a node.
func (r *Registry) hasTrusted(ctx context.Context, id Identity) (bool, error) {
	if !r.direct.is() {
		return r.table.head(id.Key()).part(Trusted) != nil, nil
	}
	n, err := r.Inspect(ctx, string(id))
	if errors.Is(err, ErrNoNode) {
		return false, nil
	}
	return n.Sections[Trusted] != nil, err
}
