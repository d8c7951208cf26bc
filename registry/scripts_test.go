package registry_test

import (
	"testing"

	"muster/registry"
	"muster/registry/registrytest"
)

// TestFleetScripts asks the registry, which asks every node.
func TestFleetScripts(t *testing.T) {
	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		r, err := registry.Open(t.Context(), registry.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, reg := range fleet {
			register(t, r, reg)
		}
		return registrytest.Find{Registry: r}
	})
}
