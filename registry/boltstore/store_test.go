package boltstore_test

import (
	"path/filepath"
	"testing"

	"muster/registry"
	"muster/registry/boltstore"
	"muster/registry/registrytest"
)

func TestStore(t *testing.T) {
	registrytest.TestStore(t, func(t *testing.T) registrytest.Opener {
		path := filepath.Join(t.TempDir(), "nodes.db")
		return func(t *testing.T) registry.Store { return open(t, path) }
	}, registrytest.Options{})
}

// open opens a store, or ends the test.
func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJournal(t *testing.T) {
	registrytest.TestJournal(t, func(t *testing.T) registrytest.Opener {
		path := filepath.Join(t.TempDir(), "nodes.db")
		return func(t *testing.T) registry.Store { return open(t, path) }
	}, registrytest.Options{})
}
