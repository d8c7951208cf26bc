//go:build peers

package mongostore_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"muster/query"
	"muster/registry"
	"muster/registry/mongostore"
	"muster/registry/mongostore/ferrettest"
	"muster/registry/registrytest"
)

// TestOnServers runs everything on FerretDB, which is built for it, and on the
// MongoDB that MUSTER_MONGO names, if it does.
func TestOnServers(t *testing.T) {
	t.Run("FerretDB", func(t *testing.T) {
		uri := ferrettest.Start(t)
		suite(t, uri, registrytest.Options{Without: []string{"lists in a list", "minus zero"}, Nodes: 16, Events: 120})
		t.Run("outage", func(t *testing.T) { outage(t, uri) })
		t.Run("cuts", func(t *testing.T) { cuts(t, uri) })
		t.Run("cluster", func(t *testing.T) { cluster(t, uri) })
		t.Run("settled", func(t *testing.T) { settled(t, uri) })
		t.Run("scripts", func(t *testing.T) { scripts(t, uri) })
		t.Run("refusal", func(t *testing.T) { refusalIsInWords(t, uri) })
		t.Run("old readers", func(t *testing.T) { oldReaders(t, uri) })
	})
	if uri := os.Getenv("MUSTER_MONGO"); uri != "" {
		t.Run("MongoDB", func(t *testing.T) {
			suite(t, uri, registrytest.Options{})
			t.Run("cluster", func(t *testing.T) { cluster(t, uri) })
			t.Run("settled", func(t *testing.T) { settled(t, uri) })
			t.Run("scripts", func(t *testing.T) { scripts(t, uri) })
			t.Run("old readers", func(t *testing.T) { oldReaders(t, uri) })
		})
	}
}

func suite(t *testing.T, uri string, o registrytest.Options) {
	number := 0
	database := scratch(t, uri)
	fresh := func(*testing.T) registrytest.Opener {
		number++
		collection := fmt.Sprint("nodes", number)
		return func(t *testing.T) registry.Store { return open(t, uri, database, collection) }
	}
	registrytest.TestStore(t, fresh, o)
	registrytest.TestJournal(t, fresh, o)
	registrytest.TestShared(t, fresh)
}

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, uri, database, collection string) *mongostore.Store {
	t.Helper()
	s, err := mongostore.Open(t.Context(), mongostore.Config{
		URI: uri, Database: database, Collection: collection, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// collection is the driver's own view of a store.
func collection(t *testing.T, uri, database, name string) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return client.Database(database).Collection(name)
}

// scratch is the name of a database that is dropped after the test.
func scratch(t *testing.T, uri string) string {
	t.Helper()
	name := fmt.Sprintf("muster_test_%d", time.Now().UnixNano())
	database := collection(t, uri, name, "nodes").Database()
	t.Cleanup(func() {
		if err := database.Drop(context.Background()); err != nil {
			t.Errorf("dropping %s: %v", name, err)
		}
	})
	return name
}

// oldReaders asks as MCollective's discovery and search_nodes did, and
// shares the collection with a document of theirs.
func oldReaders(t *testing.T, uri string) {
	database := scratch(t, uri)
	c := collection(t, uri, database, "nodes")
	theirs := bson.D{{Key: "fqdn", Value: "old1.acme.net"}, {Key: "identity", Value: "old1"}, {Key: "facts", Value: bson.D{{Key: "customer", Value: "acme"}}}}
	if _, err := c.InsertOne(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}

	s := open(t, uri, database, "")
	r, err := registry.Open(t.Context(), registry.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	for id, customer := range map[string]string{"DB1.acme.net": "acme", "db2.globex.net": "globex"} {
		_, err := r.Register(t.Context(), registry.Registration{
			Identity: id, Auth: "cert",
			Facts:       map[string]any{"customer": customer, "fqdn": strings.ToLower(id), "os.family": "Debian"},
			Classes:     []string{"mysql::master", "base"},
			Collectives: []string{"acme", "mcollective"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := r.Node("old1"); ok {
		t.Error("another program's document became a node")
	}
	for text, filter := range map[string]bson.D{
		"search_nodes": {{Key: "facts.customer", Value: "acme"}, {Key: "classes", Value: "mysql::master"}},
		"discovery":    {{Key: "facts.customer", Value: "acme"}, {Key: "collectives", Value: "acme"}},
		"freshness":    {{Key: "identity", Value: "DB1.acme.net"}, {Key: "lastseen", Value: bson.D{{Key: "$gte", Value: time.Now().Unix() - 60}}}},
		"an odd key":   {{Key: "facts.os．family", Value: "Debian"}, {Key: "facts.customer", Value: "acme"}},
	} {
		var found struct{ FQDN string }
		if err := c.FindOne(t.Context(), filter).Decode(&found); err != nil || found.FQDN != "db1.acme.net" {
			t.Errorf("%s finds %q, %v; want db1.acme.net", text, found.FQDN, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := registry.Open(t.Context(), registry.Config{Store: open(t, uri, database, "")})
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Parse("customer=acme mysql::master", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := again.Find(t.Context(), registry.Discovery{Query: q})
	if err != nil || a.String() != "DB1.acme.net" {
		t.Errorf("after a restart: %v, %v; want DB1.acme.net", a.String(), err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// refusalIsInWords: FerretDB refuses a list in a list, which
// MongoDB keeps.
func refusalIsInWords(t *testing.T, uri string) {
	s := open(t, uri, scratch(t, uri), "")
	r, err := registry.Open(t.Context(), registry.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"a": []any{[]any{int64(1)}}}})
	if err == nil || !strings.Contains(err.Error(), "storing the registration of db1: writing to MongoDB at 127.0.0.1:") || !strings.Contains(err.Error(), "it answered: ") {
		t.Errorf("error %v, want our words and the server's", err)
	}
	if _, ok := r.Node("db1"); ok {
		t.Error("the node is there, and was not stored")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), registry.NewNode("late", time.Now(), nil)); err == nil || !strings.Contains(err.Error(), "the store is closed") {
		t.Errorf("after closing: %v; want that it is closed", err)
	}
}
