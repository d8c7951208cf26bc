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
	if known := r.table.head(Identity(reg.Identity).Key()).part(Trusted); len(reg.Facts) == 0 && (known == nil || known.auth != reg.Auth) {
		return nil // who has nothing to say does not gainsay others
	}
	_, err := r.register(ctx, Registration{
		Identity: reg.Identity, Source: Trusted, Auth: reg.Auth, Sequence: reg.Sequence, Sent: reg.Sent, Facts: reg.Facts,
	})
	if _, refused := errors.AsType[*Refusal](err); refused {
		return nil
	}
	return err
}
