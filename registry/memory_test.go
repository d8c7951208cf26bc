package registry_test

import (
	"testing"

	"muster/registry"
	"muster/registry/registrytest"
)

func TestMemoryStore(t *testing.T) {
	registrytest.TestStore(t, func(*testing.T) registrytest.Opener {
		store := &registry.MemoryStore{}
		return func(*testing.T) registry.Store { return store }
	}, registrytest.Options{})
}

func TestMemoryJournal(t *testing.T) {
	registrytest.TestJournal(t, func(*testing.T) registrytest.Opener {
		store := &registry.MemoryStore{}
		return func(*testing.T) registry.Store { return store }
	}, registrytest.Options{})
}

func TestCluster(t *testing.T) {
	registrytest.TestShared(t, func(*testing.T) registrytest.Opener {
		var cluster registrytest.Cluster
		return func(*testing.T) registry.Store { return cluster.Member() }
	})
}
