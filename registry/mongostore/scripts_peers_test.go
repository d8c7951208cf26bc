//go:build peers

package mongostore_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"muster/registry"
	"muster/registry/mongostore/ferrettest"
	"muster/registry/registrytest"
)

// TestFleetScriptsFromServers asks a registry that has read its nodes over
// MongoDB's wire.
func TestFleetScriptsFromServers(t *testing.T) {
	servers := map[string]string{"FerretDB": ferrettest.Start(t)}
	if uri := os.Getenv("MUSTER_MONGO"); uri != "" {
		servers["MongoDB"] = uri
	}
	for name, uri := range servers {
		t.Run(name, func(t *testing.T) {
			database, number := scratch(t, uri), 0
			registrytest.RunScripts(t, "../../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
				number++
				collection := fmt.Sprint("scripts", number)
				writing := holding(t, open(t, uri, database, collection))
				for _, reg := range fleet {
					if _, err := writing.Register(t.Context(), reg); err != nil {
						t.Fatal(err)
					}
				}
				return registrytest.Find{Registry: holding(t, open(t, uri, database, collection))}
			})
		})
	}
}

func holding(t *testing.T, store registry.Store) *registry.Registry {
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
	return r
}

// scripts: the fleet scripts, asked of a registry that keeps no nodes and asks
// the server.
func scripts(t *testing.T, uri string) {
	database := scratch(t, uri)
	number := 0
	registrytest.RunScripts(t, "../../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		number++
		r, err := registry.Open(t.Context(), registry.Config{Store: open(t, uri, database, fmt.Sprint("script", number)), Direct: true, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, reg := range fleet {
			if _, err := r.Register(context.Background(), reg); err != nil {
				t.Fatal(err)
			}
		}
		return registrytest.Find{Registry: r}
	})
}
