package mongostore

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/query"
	"muster/registry"
	"muster/registry/registrytest"
)

// asked is a store in memory that is searched as MongoDB would be: by the
// filter that is pushed down, on the documents.
type asked struct{ *registrytest.Member }

func (a asked) Search(ctx context.Context, e query.Expr, now time.Time, add func(registry.Node) error) error {
	filter := pushed(e, now)
	return a.Member.Search(ctx, e, now, func(n registry.Node) error {
		raw, err := bson.Marshal(documentOf(&n))
		if err != nil {
			return err
		}
		var doc bson.D
		if err := bson.Unmarshal(raw, &doc); err != nil || !finds(filter, doc) {
			return err
		}
		return add(n)
	})
}

// TestFleetScripts asks a registry that asks its store.
func TestFleetScripts(t *testing.T) {
	registrytest.RunScripts(t, "../../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		var c registrytest.Cluster
		r, err := registry.Open(t.Context(), registry.Config{Store: asked{c.Member()}, Direct: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, reg := range fleet {
			if _, err := r.Register(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
		return registrytest.Find{Registry: r}
	})
}
