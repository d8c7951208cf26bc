package registry_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
	"muster/registry/boltstore"
	"muster/registry/index"
	"muster/registry/registrytest"
)

// scripts are in this folder. HTTP, the command line and MongoDB answer them in
// the tests of their rooms.
const scripts = "../testdata/fleet"

// TestFleetScripts asks the registry, which keeps nodes in memory.
func TestFleetScripts(t *testing.T) {
	registrytest.RunScripts(t, scripts, func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		return registrytest.Find{Registry: holding(t, nil, fleet)}
	})
}

// TestFleetScriptsByScan asks the meaning itself of every node.
func TestFleetScriptsByScan(t *testing.T) {
	registrytest.RunScripts(t, scripts, func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		return registrytest.Scan(documents(t, fleet), time.Now())
	})
}

// TestFleetScriptsByIndex asks the index with no registry around it.
func TestFleetScriptsByIndex(t *testing.T) {
	registrytest.RunScripts(t, scripts, func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		docs := documents(t, fleet)
		byName := map[string]*query.Document{}
		ix := index.New(index.Config{Load: func(identity string) *query.Document { return byName[identity] }})
		for _, doc := range docs {
			byName[doc.Identity] = doc
			ix.Put(doc)
		}
		asker := registrytest.Documents{All: docs, Now: time.Now()}
		asker.Search = func(ctx context.Context, e query.Expr, now time.Time) ([]string, error) {
			set, err := ix.Find(ctx, e, now)
			if err != nil {
				return nil, err
			}
			return set.Identities(), nil
		}
		return asker
	})
}

// TestFleetScriptsFromTheStore asks a registry that has read its nodes from the
// embedded store after a restart.
func TestFleetScriptsFromTheStore(t *testing.T) {
	registrytest.RunScripts(t, scripts, func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		path := filepath.Join(t.TempDir(), "nodes.db")
		store := func() registry.Store {
			s, err := boltstore.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		r, err := registry.Open(t.Context(), registry.Config{Store: store()})
		if err != nil {
			t.Fatal(err)
		}
		for _, reg := range fleet {
			register(t, r, reg)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		return registrytest.Find{Registry: holding(t, store(), nil)}
	})
}

// holding opens a registry with some nodes.
func holding(t *testing.T, store registry.Store, fleet []registry.Registration) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Store: store})
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
	return r
}

func documents(t *testing.T, fleet []registry.Registration) []*query.Document {
	t.Helper()
	docs, err := registrytest.DocumentsOf(t.Context(), holding(t, nil, fleet))
	if err != nil {
		t.Fatal(err)
	}
	return docs
}
