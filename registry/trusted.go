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
		if auth, has, err := r.trustedBy(ctx, Identity(reg.Identity)); err != nil || !has || auth != reg.Auth {
			return err // who has nothing to say does not gainsay others
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

// trustedBy is how the trusted facts of a node are proven, if it has any.
func (r *Registry) trustedBy(ctx context.Context, id Identity) (auth string, has bool, err error) {
	if !r.direct.is() {
		p := r.table.head(id.Key()).part(Trusted)
		if p == nil {
			return "", false, nil
		}
		return p.auth, true, nil
	}
	n, err := r.Inspect(ctx, string(id))
	s := n.Sections[Trusted]
	switch {
	case errors.Is(err, ErrNoNode):
		return "", false, nil
	case err != nil || s == nil:
		return "", false, err
	}
	return s.Auth, true, nil
}
