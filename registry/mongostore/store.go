package mongostore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"muster/registry"
)

// Config says where the nodes are kept.
type Config struct {
	URI        string       // mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST…][/DATABASE][?OPTIONS], or mongodb+srv://
	Database   string       // empty: that of URI, else "puppet", the ancestor's
	Collection string       // empty: "nodes", the ancestor's
	Log        *slog.Logger // nil: slog.Default()
}

// Store is a [registry.Store] in a collection of MongoDB.
type Store struct {
	client *mongo.Client
	nodes  *mongo.Collection
	hosts  string // for messages: without the password
	log    *slog.Logger
}

var _ registry.Store = (*Store)(nil)

// serverWait is how long a call waits for a server that can be written to,
// where the URI does not say.
const serverWait = 10 * time.Second

// chunk is how many documents one request writes at most.
const chunk = 500

// Open connects, and makes the indexes that are not there. Where the server
// refuses one, that is logged: nothing needs them but other readers.
func Open(ctx context.Context, c Config) (*Store, error) {
	o := options.Client().ApplyURI(c.URI)
	if err := o.Validate(); err != nil || c.URI == "" {
		return nil, errors.New("the address of the MongoDB store can not be read; want mongodb://HOST[:PORT]/DATABASE")
	}
	if o.ServerSelectionTimeout == nil {
		o.SetServerSelectionTimeout(serverWait)
	}
	o.SetAppName("muster").SetWriteConcern(writeconcern.Majority())
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to MongoDB at %s: %w", strings.Join(o.Hosts, ","), err)
	}
	s := &Store{client: client, hosts: strings.Join(o.Hosts, ","), log: c.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.nodes = client.Database(first(c.Database, databaseOf(c.URI), "puppet")).Collection(first(c.Collection, "nodes"))
	if err := client.Ping(ctx, nil); err != nil {
		return nil, errors.Join(s.words("connecting to", err), s.Close())
	}
	s.makeIndexes(ctx)
	return s, nil
}

// databaseOf is the database that a URI names.
func databaseOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	_, path, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(path, "?")
	return name
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// makeIndexes makes those that the old readers and people at a shell need.
func (s *Store) makeIndexes(ctx context.Context) {
	for _, key := range []string{"identity", "fqdn", "seen", "lastseen", "classes", "agentlist", "collectives"} {
		_, err := s.nodes.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: key, Value: 1}}})
		if err != nil {
			s.log.Warn("MongoDB did not make an index", "on", key, "error", s.words("indexing", err))
		}
	}
}

// Put implements [registry.Store].
func (s *Store) Put(ctx context.Context, nodes ...registry.Node) error {
	writes := make([]mongo.WriteModel, len(nodes))
	for i := range nodes {
		d := documentOf(&nodes[i])
		writes[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: d.ID}}).SetReplacement(d).SetUpsert(true)
	}
	return s.write(ctx, writes)
}

// Touch implements [registry.Store].
func (s *Store) Touch(ctx context.Context, beats ...registry.Beat) error {
	writes := make([]mongo.WriteModel, len(beats))
	for i, b := range beats {
		at := "sections." + string(b.Source)
		set := bson.D{
			{Key: at + ".sequence", Value: int64(b.Sequence)},
			{Key: at + ".received", Value: b.Received},
		}
		if !b.Sent.IsZero() {
			set = append(set, bson.E{Key: at + ".sent", Value: b.Sent})
		}
		if b.Source != registry.Trusted {
			set = append(set, bson.E{Key: "seen", Value: b.Received}, bson.E{Key: "lastseen", Value: b.Received.Unix()})
		}
		writes[i] = mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: b.Identity.Key()}, {Key: at + ".received", Value: bson.D{{Key: "$lte", Value: b.Received}}}}).
			SetUpdate(bson.D{{Key: "$set", Value: set}})
	}
	return s.write(ctx, writes)
}

// Delete implements [registry.Store].
func (s *Store) Delete(ctx context.Context, ids ...registry.Identity) error {
	writes := make([]mongo.WriteModel, len(ids))
	for i, id := range ids {
		writes[i] = mongo.NewDeleteOneModel().SetFilter(bson.D{{Key: "_id", Value: id.Key()}})
	}
	return s.write(ctx, writes)
}

// write makes writes that do not depend on each other.
func (s *Store) write(ctx context.Context, writes []mongo.WriteModel) error {
	for len(writes) > 0 {
		n := min(len(writes), chunk)
		_, err := s.nodes.BulkWrite(ctx, writes[:n], options.BulkWrite().SetOrdered(false))
		if mongo.IsDuplicateKeyError(err) {
			// Two upserts of one new node at the same time, ours and another
			// instance's: the document is there now.
			_, err = s.nodes.BulkWrite(ctx, writes[:n], options.BulkWrite().SetOrdered(false))
		}
		if err != nil {
			return s.words("writing to", err)
		}
		writes = writes[n:]
	}
	return nil
}

// Load implements [registry.Store]. Documents of other programs in the
// collection are left alone.
func (s *Store) Load(ctx context.Context, add func(registry.Node) error) error {
	found, err := s.nodes.Find(ctx, bson.D{{Key: "format", Value: bson.D{{Key: "$exists", Value: true}}}})
	if err != nil {
		return s.words("reading from", err)
	}
	defer func() { _ = found.Close(context.WithoutCancel(ctx)) }() // all has been read, or an error is on its way
	for found.Next(ctx) {
		var d document
		if err := found.Decode(&d); err != nil {
			return fmt.Errorf("reading the document of %v in MongoDB at %s: it has another shape than muster gave it", found.Current.Lookup("_id"), s.hosts)
		}
		if d.Format != format {
			return fmt.Errorf("the document of %s in MongoDB at %s has format %d, and this version of muster reads %d only", d.ID, s.hosts, d.Format, format)
		}
		n, err := d.node()
		if err != nil {
			return fmt.Errorf("reading the document of %s in MongoDB at %s: %w", d.ID, s.hosts, err)
		}
		if err := add(n); err != nil {
			return err
		}
	}
	if err := found.Err(); err != nil {
		return s.words("reading from", err)
	}
	return nil
}

// closeWait is how long Close waits for calls that are under way.
const closeWait = 5 * time.Second

// Close implements [registry.Store].
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return s.words("taking leave of", err)
	}
	return nil
}
