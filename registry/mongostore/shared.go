package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"muster/registry"
)

// known finds a node's document if it is still the one that a registry knows.
// Documents from before there were versions are taken for that.
func known(n *registry.Node) bson.D {
	return bson.D{
		{Key: "_id", Value: n.Identity.Key()},
		{Key: "version", Value: bson.D{{Key: "$in", Value: bson.A{int64(n.Version()), nil}}}},
		{Key: "seen", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: n.LastSeen}}}}},
	}
}

// Replace implements [registry.Shared].
func (s *Store) Replace(ctx context.Context, old, next *registry.Node, happened []registry.Event) error {
	p := put{doc: documentOf(next), exclusive: true}
	if old.Version() != 0 {
		p.filter = known(old)
	}
	return s.commit(ctx, &change{puts: []put{p}, events: eventDocuments(happened)})
}

// Forget implements [registry.Shared]. A tombstone tells followers to look at
// the node again, so that it may be written first.
func (s *Store) Forget(ctx context.Context, old *registry.Node, gone registry.Event) error {
	if err := s.bury(ctx, old.Identity); err != nil {
		return err
	}
	done, err := s.nodes.DeleteOne(ctx, known(old))
	if err != nil {
		return s.words("deleting from", err)
	}
	if done.DeletedCount == 0 {
		return registry.ErrOvertaken
	}
	return s.PutEvents(ctx, []registry.Event{gone})
}

// bury writes tombstones.
func (s *Store) bury(ctx context.Context, ids ...registry.Identity) error {
	if len(ids) == 0 {
		return nil
	}
	first, err := s.tick(ctx, len(ids))
	if err != nil {
		return s.words("deleting from", err)
	}
	stones := make([]mongo.WriteModel, len(ids))
	for i, id := range ids {
		stone := bson.D{{Key: "_id", Value: id.Key()}, {Key: "identity", Value: string(id)}, {Key: "rev", Value: first + int64(i)}}
		stones[i] = mongo.NewReplaceOneModel().SetFilter(byID(id.Key())).SetReplacement(stone).SetUpsert(true)
	}
	return firstOf(s.bulk(ctx, s.gone, stones))
}

// Nodes implements [registry.Shared].
func (s *Store) Nodes(ctx context.Context, ids ...registry.Identity) ([]registry.Node, error) {
	keys := make(bson.A, len(ids))
	for i, id := range ids {
		keys[i] = id.Key()
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}, ours}
	if len(ids) == 1 {
		filter = append(byID(ids[0].Key()), ours)
	}
	var nodes []registry.Node
	err := s.load(ctx, filter, func(n registry.Node) error {
		nodes = append(nodes, n)
		return nil
	})
	return nodes, err
}

// leaderID is the document that says who leads, and until when.
const leaderID = "leader"

// Lead implements [registry.Shared]. Clocks of the machines are taken to agree
// within a part of span.
func (s *Store) Lead(ctx context.Context, now time.Time, span time.Duration) (bool, error) {
	mine := bson.D{{Key: "_id", Value: leaderID}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "by", Value: s.name}},
		bson.D{{Key: "until", Value: bson.D{{Key: "$lt", Value: now}}}},
	}}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "by", Value: s.name}, {Key: "until", Value: now.Add(span)}}}}
	done, err := s.state.UpdateOne(ctx, mine, set)
	if err != nil {
		return false, s.words("writing to", err)
	}
	if done.MatchedCount > 0 {
		return true, nil
	}
	_, err = s.state.InsertOne(ctx, bson.D{{Key: "_id", Value: leaderID}, {Key: "by", Value: s.name}, {Key: "until", Value: now.Add(span)}})
	if mongo.IsDuplicateKeyError(err) {
		return false, nil // another registry leads
	}
	if err != nil {
		return false, s.words("writing to", err)
	}
	return true, nil
}

// Keep implements [registry.Keeper].
func (s *Store) Keep(ctx context.Context, name string, value []byte) error {
	doc := bson.D{{Key: "_id", Value: keepPrefix + name}, {Key: "value", Value: value}}
	if _, err := s.state.ReplaceOne(ctx, byID(keepPrefix+name), doc, options.Replace().SetUpsert(true)); err != nil {
		return s.words("writing to", err)
	}
	return nil
}

// Kept implements [registry.Keeper].
func (s *Store) Kept(ctx context.Context, name string) ([]byte, error) {
	var d struct {
		Value []byte `bson:"value"`
	}
	err := s.state.FindOne(ctx, byID(keepPrefix+name)).Decode(&d)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return nil, s.words("reading from", err)
	}
	return d.Value, nil
}

// keepPrefix begins the names of what is kept for the registry.
const keepPrefix = "keep."
