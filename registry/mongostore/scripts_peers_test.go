//go:build peers

package mongostore_test

import (
	"context"
	"fmt"
	"testing"

	"muster/registry"
	"muster/registry/registrytest"
)

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
