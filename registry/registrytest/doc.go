// Package registrytest holds what every store and every engine must pass.
//
// A store is held to the suite:
//
//	registrytest.TestStore(t, func(t *testing.T) registrytest.Opener {
//		path := filepath.Join(t.TempDir(), "nodes.db")
//		return func(t *testing.T) registry.Store { … open path … }
//	}, registrytest.Options{})
//
// What answers queries is held to the fleet scripts, see [RunScripts]:
//
//	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker { … })
package registrytest
