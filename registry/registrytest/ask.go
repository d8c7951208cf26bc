package registrytest

import (
	"context"

	"muster/registry"
)

// Find is an [Asker] over a registry.
type Find struct{ Registry *registry.Registry }

// Ask implements [Asker].
func (f Find) Ask(ctx context.Context, q Question) ([]string, error) {
	parsed, err := q.Filters.Parse()
	if err != nil {
		return nil, err
	}
	d := registry.Discovery{Query: parsed, Limit: q.Limit}
	if q.Collective != "" {
		d.Collectives = []string{q.Collective}
	}
	if d.States, err = registry.ParseStates(q.State); err != nil {
		return nil, err
	}
	a, err := f.Registry.Find(ctx, d)
	if err != nil {
		return nil, err
	}
	return a.Names(), nil
}
