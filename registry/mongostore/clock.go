package mongostore

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Every write has a number from one clock that all registries share: the
// microseconds since 1970, or one more than the last where a clock is behind.
// No number is given out twice, and none after a larger one. It is the revision
// of a document, or the ID of an event.
//
// What has a smaller number can be written after what has a larger one, since
// numbers are given out before; but not later than writeWait. See follower.
const clockID = "clock"

// clock is the document that holds the last number.
type clock struct {
	At int64 `bson:"at"`
}

// startClock makes the clock at the first start.
func (s *Store) startClock(ctx context.Context) error {
	set := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "at", Value: s.now().UnixMicro()}}}}
	_, err := s.state.UpdateOne(ctx, byID(clockID), set, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return nil // another registry made it
	}
	return err
}

// tick returns the first of n numbers.
func (s *Store) tick(ctx context.Context, n int) (int64, error) {
	now := s.now().UnixMicro()
	var c clock
	err := s.state.FindOneAndUpdate(ctx,
		bson.D{{Key: "_id", Value: clockID}, {Key: "at", Value: bson.D{{Key: "$lt", Value: now}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: now + int64(n)}}}},
	).Decode(&c)
	if err == nil {
		return now + 1, nil
	}
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return 0, err
	}
	err = s.state.FindOneAndUpdate(ctx, byID(clockID), bson.D{{Key: "$inc", Value: bson.D{{Key: "at", Value: int64(n)}}}}).Decode(&c)
	return c.At + 1, err
}

// lastTick returns the last number that was given out.
func (s *Store) lastTick(ctx context.Context) (int64, error) {
	var c clock
	err := s.state.FindOne(ctx, byID(clockID)).Decode(&c)
	return c.At, err
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }
