package mongostore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"muster/registry"
)

// Config says where the nodes are kept.
type Config struct {
	URI        string           // mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST…][/DATABASE][?OPTIONS], or mongodb+srv://
	Database   string           // empty: that of URI, else "puppet", the ancestor's
	Collection string           // empty: "nodes", the ancestor's; with .events, .gone and .state beside it
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: slog.Default()
}

// Store is a [registry.Shared] store in collections of MongoDB.
type Store struct {
	client *mongo.Client
	nodes  *mongo.Collection
	events *mongo.Collection // the journal
	gone   *mongo.Collection // tombstones of nodes
	state  *mongo.Collection // small things: the clock, who leads, what is kept for the registry
	hosts  string            // for messages: without the password
	name   string            // of this store among those that share the collections
	now    func() time.Time
	log    *slog.Logger

	newest atomic.Int64 // the ID of the newest event that is known to be in the journal
	summed atomic.Int64 // when the sizes of events were last summed up, in microseconds since 1970

	changes   chan *change
	closing   chan struct{} // closed by Close
	committed sync.WaitGroup
}

var _ registry.Shared = (*Store)(nil)

// serverWait is how long a call waits for a server that can be written to,
// where the URI does not say.
const serverWait = 10 * time.Second

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
	// What is acknowledged survives the loss of a server, and what is read can
	// not be undone by one.
	confirmed := true
	o.SetAppName("muster").SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &confirmed}).
		SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary())
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to MongoDB at %s: %w", strings.Join(o.Hosts, ","), err)
	}
	s := &Store{
		client: client, hosts: strings.Join(o.Hosts, ","), name: rand.Text(), now: c.Now, log: c.Log,
		changes: make(chan *change), closing: make(chan struct{}),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	database, nodes := client.Database(first(c.Database, databaseOf(c.URI), "puppet")), first(c.Collection, "nodes")
	s.nodes, s.events = database.Collection(nodes), database.Collection(nodes+".events")
	s.gone, s.state = database.Collection(nodes+".gone"), database.Collection(nodes+".state")
	s.committed.Go(s.commits)
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// begin finds or makes what must be there.
func (s *Store) begin(ctx context.Context) error {
	if err := s.client.Ping(ctx, nil); err != nil {
		return s.words("connecting to", err)
	}
	s.makeIndexes(ctx)
	if err := s.startClock(ctx); err != nil {
		return s.words("writing to", err)
	}
	_, last, err := s.EventBounds(ctx)
	s.isNewest(int64(last))
	return err
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

// makeIndexes makes those that followers and readers of history need, and the
// old readers and people at a shell.
func (s *Store) makeIndexes(ctx context.Context) {
	index := func(c *mongo.Collection, keys ...string) {
		model := mongo.IndexModel{}
		order := bson.D{}
		for _, key := range keys {
			order = append(order, bson.E{Key: key, Value: 1})
		}
		model.Keys = order
		if _, err := c.Indexes().CreateOne(ctx, model); err != nil {
			s.log.Warn("MongoDB did not make an index", "in", c.Name(), "on", keys, "error", s.words("indexing", err))
		}
	}
	for _, key := range []string{"identity", "fqdn", "seen", "lastseen", "classes", "agentlist", "collectives", "rev"} {
		index(s.nodes, key)
	}
	index(s.gone, "rev")
	index(s.events, "node", "_id")
}

// Put implements [registry.Store].
func (s *Store) Put(ctx context.Context, nodes ...registry.Node) error {
	return s.PutEvents(ctx, nil, nodes...)
}

// Touch implements [registry.Store].
func (s *Store) Touch(ctx context.Context, beats ...registry.Beat) error {
	if len(beats) == 0 {
		return nil
	}
	first, err := s.tick(ctx, len(beats))
	if err != nil {
		return s.words("writing to", err)
	}
	writes := make([]mongo.WriteModel, len(beats))
	for i, b := range beats {
		at := "sections." + string(b.Source)
		set := bson.D{
			{Key: at + ".sequence", Value: int64(b.Sequence)},
			{Key: at + ".received", Value: b.Received},
			{Key: "rev", Value: first + int64(i)},
		}
		if !b.Sent.IsZero() {
			set = append(set, bson.E{Key: at + ".sent", Value: b.Sent})
		}
		if b.Learnt > 0 {
			set = append(set, bson.E{Key: at + ".learnt", Value: b.Learnt})
		}
		update := bson.D{{Key: "$set", Value: set}}
		if b.Source != registry.Trusted {
			latest := bson.D{{Key: "seen", Value: b.Received}, {Key: "lastseen", Value: b.Received.Unix()}}
			update = append(update, bson.E{Key: "$max", Value: latest})
		}
		writes[i] = mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: b.Identity.Key()}, notAfter(at, b)}).
			SetUpdate(update)
	}
	return firstOf(s.bulk(ctx, s.nodes, writes))
}

// notAfter is true of documents whose section does not lie after a beat, as
// [registry.Node.Touched] has it. Sequences are nanoseconds since 1970, so that
// they compare alike with and without a sign.
func notAfter(section string, b registry.Beat) bson.E {
	return bson.E{Key: "$or", Value: bson.A{
		bson.D{{Key: section + ".received", Value: bson.D{{Key: "$lt", Value: b.Received}}}},
		bson.D{
			{Key: section + ".received", Value: b.Received},
			{Key: section + ".sequence", Value: bson.D{{Key: "$lte", Value: int64(b.Sequence)}}},
		},
	}}
}

// Delete implements [registry.Store].
func (s *Store) Delete(ctx context.Context, ids ...registry.Identity) error {
	if err := s.bury(ctx, ids...); err != nil {
		return err
	}
	writes := make([]mongo.WriteModel, len(ids))
	for i, id := range ids {
		writes[i] = mongo.NewDeleteOneModel().SetFilter(byID(id.Key()))
	}
	return firstOf(s.bulk(ctx, s.nodes, writes))
}

// firstOf is the first error of some.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ours is true of documents that muster wrote: those of other programs in the
// collection are left alone.
var ours = bson.E{Key: "format", Value: bson.D{{Key: "$exists", Value: true}}}

// Load implements [registry.Store].
func (s *Store) Load(ctx context.Context, add func(registry.Node) error) error {
	return s.load(ctx, bson.D{ours}, add)
}

// load hands over the nodes of documents, and settles their events.
func (s *Store) load(ctx context.Context, filter bson.D, add func(registry.Node) error) error {
	var events []eventDocument
	err := s.read(ctx, s.nodes, filter, options.Find(), func(cursor *mongo.Cursor) error {
		var d document
		if err := cursor.Decode(&d); err != nil {
			return fmt.Errorf("reading the document of %v in MongoDB at %s: it has another shape than muster gave it", cursor.Current.Lookup("_id"), s.hosts)
		}
		if d.Format != format {
			return fmt.Errorf("the document of %s in MongoDB at %s has format %d, and this version of muster reads %d only", d.ID, s.hosts, d.Format, format)
		}
		n, err := d.node()
		if err != nil {
			return fmt.Errorf("reading the document of %s in MongoDB at %s: %w", d.ID, s.hosts, err)
		}
		if d.Event != nil && d.Event.ID > s.newest.Load()-unsettled {
			events = append(events, *d.Event)
		}
		return add(n)
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, events)
}

// read hands a cursor to each for every document that a filter finds. It stops
// at the first error of each and returns that.
func (s *Store) read(ctx context.Context, from *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder, each func(*mongo.Cursor) error) error {
	found, err := from.Find(ctx, filter, o)
	if err != nil {
		return s.words("reading from", err)
	}
	defer func() { _ = found.Close(context.WithoutCancel(ctx)) }() // all has been read, or an error is on its way
	for found.Next(ctx) {
		if err := each(found); err != nil {
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
	select {
	case <-s.closing:
		return nil
	default:
	}
	close(s.closing)
	s.committed.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return s.words("taking leave of", err)
	}
	return nil
}
