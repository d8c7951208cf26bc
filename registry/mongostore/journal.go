package mongostore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"muster/registry"
)

// eventDocument is a registry.Event as MongoDB keeps it.
type eventDocument struct {
	ID       int64            `bson:"_id"`
	At       time.Time        `bson:"at"`
	Rest     time.Duration    `bson:"rest,omitempty"` // of At, below a millisecond
	Node     string           `bson:"node"`           // the identity's key
	Identity string           `bson:"identity"`
	Kind     string           `bson:"kind"`
	Changes  []changeDocument `bson:"changes,omitempty"`
	More     int              `bson:"more,omitempty"`
	Size     int64            `bson:"size"` // about what it takes, in bytes
}

// changeDocument is a registry.Change; its values are JSON, empty where there is none.
type changeDocument struct {
	Path string `bson:"path"`
	Old  string `bson:"old,omitempty"`
	New  string `bson:"new,omitempty"`
}

func eventDocuments(events []registry.Event) []eventDocument {
	docs := make([]eventDocument, len(events))
	for i, e := range events {
		d := eventDocument{
			ID: int64(e.ID), At: e.At, Rest: e.At.Sub(e.At.Truncate(time.Millisecond)), Node: e.Identity.Key(),
			Identity: string(e.Identity), Kind: string(e.Kind), More: e.More, Size: int64(150 + 2*len(e.Identity)),
		}
		for _, c := range e.Changes {
			d.Changes = append(d.Changes, changeDocument{c.Path, string(c.Old), string(c.New)})
			d.Size += int64(40 + len(c.Path) + len(c.Old) + len(c.New))
		}
		docs[i] = d
	}
	return docs
}

func (d *eventDocument) event() registry.Event {
	e := registry.Event{
		ID: uint64(d.ID), At: d.At.Add(d.Rest).UTC(), Identity: registry.Identity(d.Identity),
		Kind: registry.EventKind(d.Kind), More: d.More,
	}
	for _, c := range d.Changes {
		e.Changes = append(e.Changes, registry.Change{Path: c.Path, Old: rawJSON(c.Old), New: rawJSON(c.New)})
	}
	return e
}

func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// PutEvents implements [registry.Journal].
func (s *Store) PutEvents(ctx context.Context, events []registry.Event, nodes ...registry.Node) error {
	c := &change{events: eventDocuments(events)}
	for i := range nodes {
		d := documentOf(&nodes[i])
		c.puts = append(c.puts, put{doc: d, filter: byID(d.ID)})
	}
	return s.commit(ctx, c)
}

// insertEvents adds events to the journal; those that are there already are
// left alone.
func (s *Store) insertEvents(ctx context.Context, events []eventDocument) error {
	if len(events) == 0 {
		return nil
	}
	models := make([]mongo.WriteModel, len(events))
	for i := range events {
		models[i] = mongo.NewInsertOneModel().SetDocument(&events[i])
	}
	for _, err := range s.bulk(ctx, s.events, models) {
		if err != nil && !mongo.IsDuplicateKeyError(err) {
			return err
		}
	}
	s.isNewest(slices.MaxFunc(events, func(a, b eventDocument) int { return cmp.Compare(a.ID, b.ID) }).ID)
	return nil
}

// isNewest notes the ID of an event that the journal has.
func (s *Store) isNewest(id int64) {
	for {
		known := s.newest.Load()
		if id <= known || s.newest.CompareAndSwap(known, id) {
			return
		}
	}
}

// unsettled is how much older than the newest event one may be that is in a
// document and not in the journal, in IDs: more than writing it can take.
const unsettled = int64(10 * time.Minute / time.Microsecond)

// settle sees to it that the events of documents that were read are in the
// journal: who wrote them may have died in between.
func (s *Store) settle(ctx context.Context, events []eventDocument) error {
	oldest := s.newest.Load() - unsettled
	events = slices.DeleteFunc(events, func(e eventDocument) bool { return e.ID <= oldest })
	for some := range slices.Chunk(events, chunk) {
		ids := make(bson.A, len(some))
		for i, e := range some {
			ids[i] = e.ID
		}
		there := map[int64]bool{}
		err := s.read(ctx, s.events, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}),
			func(cursor *mongo.Cursor) error {
				var d struct {
					ID int64 `bson:"_id"`
				}
				err := cursor.Decode(&d)
				there[d.ID] = true
				return err
			})
		if err != nil {
			return err
		}
		missing := slices.DeleteFunc(slices.Clone(some), func(e eventDocument) bool { return there[e.ID] })
		if err := s.insertEvents(ctx, missing); err != nil {
			return err
		}
	}
	return nil
}

// Events implements [registry.Journal].
func (s *Store) Events(ctx context.Context, want registry.EventRange, add func(registry.Event) error) error {
	within := bson.D{{Key: "$gt", Value: int64(want.After)}}
	if want.Until > 0 {
		within = append(within, bson.E{Key: "$lte", Value: int64(want.Until)})
	}
	filter := bson.D{{Key: "_id", Value: within}}
	if want.Identity != "" {
		filter = append(bson.D{{Key: "node", Value: want.Identity.Key()}}, filter...)
	}
	return s.read(ctx, s.events, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}), func(cursor *mongo.Cursor) error {
		var d eventDocument
		if err := cursor.Decode(&d); err != nil {
			return fmt.Errorf("reading event %v in MongoDB at %s: it has another shape than muster gave it", cursor.Current.Lookup("_id"), s.hosts)
		}
		return add(d.event())
	})
}

// EventBounds implements [registry.Journal].
func (s *Store) EventBounds(ctx context.Context) (first, last uint64, err error) {
	for _, end := range []struct {
		order int
		id    *uint64
	}{{1, &first}, {-1, &last}} {
		var d struct {
			ID int64 `bson:"_id"`
		}
		sorted := options.FindOne().SetSort(bson.D{{Key: "_id", Value: end.order}}).SetProjection(bson.D{{Key: "_id", Value: 1}})
		err := s.events.FindOne(ctx, bson.D{}, sorted).Decode(&d)
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return 0, 0, s.words("reading from", err)
		}
		*end.id = uint64(d.ID)
	}
	return first, last, nil
}
