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

// TestStoreOnFerretDB runs the suite on MongoDB's wire. Few nodes and steps,
// because the server takes milliseconds for each document it looks at.
func TestStoreOnFerretDB(t *testing.T) {
	suite(t, ferrettest.Start(t), registrytest.Options{NoNestedLists: true, Steps: 80, Nodes: 16})
}

// TestStoreOnMongoDB runs it on a real server, where MUSTER_MONGO names one.
// Without one it holds the store to the other server only, and says so.
func TestStoreOnMongoDB(t *testing.T) {
	uri := os.Getenv("MUSTER_MONGO")
	if uri == "" {
		t.Log("left out: MUSTER_MONGO names no MongoDB; TestStoreOnFerretDB runs the same suite on another server")
		return
	}
	suite(t, uri, registrytest.Options{})
}

func suite(t *testing.T, uri string, o registrytest.Options) {
	number := 0
	database := fmt.Sprintf("muster_test_%d", time.Now().UnixNano())
	t.Cleanup(func() { drop(t, uri, database) })
	registrytest.TestStore(t, func(*testing.T) registrytest.Opener {
		number++
		collection := fmt.Sprint("nodes", number)
		return func(t *testing.T) registry.Store { return open(t, uri, database, collection) }
	}, o)
}

func open(t *testing.T, uri, database, collection string) *mongostore.Store {
	t.Helper()
	s, err := mongostore.Open(t.Context(), mongostore.Config{
		URI: uri, Database: database, Collection: collection, Log: slog.New(slog.DiscardHandler),
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

func drop(t *testing.T, uri, database string) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if err := client.Database(database).Drop(context.Background()); err != nil {
		t.Errorf("dropping %s: %v", database, err)
	}
}

// TestOldReaders asks as MCollective's discovery and search_nodes did, and
// shares the collection with a document of theirs.
func TestOldReaders(t *testing.T) {
	uri := ferrettest.Start(t)
	const database = "puppet"
	c := collection(t, uri, database, "nodes")
	theirs := bson.D{{Key: "fqdn", Value: "old1.acme.net"}, {Key: "identity", Value: "old1"}, {Key: "facts", Value: bson.D{{Key: "customer", Value: "acme"}}}}
	if _, err := c.InsertOne(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}

	s := open(t, uri, "", "")
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

	again, err := registry.Open(t.Context(), registry.Config{Store: open(t, uri, "", "")})
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

// TestRefusalOfTheServerIsInWords: FerretDB refuses a list in a list, which
// MongoDB keeps.
func TestRefusalOfTheServerIsInWords(t *testing.T) {
	s := open(t, ferrettest.Start(t), "refusals", "nodes")
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
