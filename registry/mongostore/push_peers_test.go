//go:build peers

package mongostore

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	"muster/query"
	"muster/registry"
	"muster/registry/mongostore/ferrettest"
)

// TestServersLoseNobody asks real servers random questions about a random
// fleet: each finds every node for which the question holds.
func TestServersLoseNobody(t *testing.T) {
	t.Run("FerretDB", func(t *testing.T) { loseNobody(t, ferrettest.Start(t), 16, 100, false) })
	if uri := os.Getenv("MUSTER_MONGO"); uri != "" {
		t.Run("MongoDB", func(t *testing.T) { loseNobody(t, uri, 100, 2000, true) })
	}
}

// loseNobody asks so many questions about so many nodes. FerretDB keeps no lists
// in lists.
func loseNobody(t *testing.T, uri string, fleet, questions int, nested bool) {
	s, err := Open(t.Context(), Config{URI: uri, Database: fmt.Sprintf("muster_test_push_%d", os.Getpid()), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	defer func() {
		if err := s.nodes.Database().Drop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ask := rapid.Custom(func(t *rapid.T) question {
		q := question{node: someNodes(t)}
		q.expr = someExpr(t, &q.node, rapid.IntRange(0, 2).Draw(t, "depth"))
		return q
	})
	var nodes []registry.Node
	var exprs []query.Expr
	for seed := 0; len(exprs) < questions; seed++ {
		q := ask.Example(seed)
		if len(nodes) < fleet && (nested || !nestedLists(q.node.Facts, false)) {
			q.node.Identity = registry.Identity(fmt.Sprintf("%s-%d", q.node.Identity, seed))
			nodes = append(nodes, q.node)
		}
		exprs = append(exprs, q.expr)
	}
	if err := s.Put(t.Context(), nodes...); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, e := range exprs {
		filter := pushed(e, noon)
		found := map[string]bool{}
		err := s.read(t.Context(), s.nodes, filter, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}), func(c *mongo.Cursor) error {
			found[c.Current.Lookup("_id").StringValue()] = true
			return nil
		})
		if err != nil {
			t.Errorf("%v: %v", filter, err)
			continue
		}
		for i := range nodes {
			if !query.Matches(e, nodes[i].Document(), noon) {
				continue
			}
			if held++; !found[nodes[i].Identity.Key()] {
				t.Errorf("the server does not find %v\npushed as %v", documentOf(&nodes[i]), filter)
			}
		}
	}
	if held < questions {
		t.Errorf("the questions hold for %d nodes in all: this shows little", held)
	}
}

type question struct {
	node registry.Node
	expr query.Expr
}

func nestedLists(v any, inList bool) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if nestedLists(e, false) {
				return true
			}
		}
	case []any:
		if inList {
			return true
		}
		for _, e := range v {
			if nestedLists(e, true) {
				return true
			}
		}
	}
	return false
}
