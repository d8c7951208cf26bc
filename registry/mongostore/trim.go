package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// sumEvery is how often the sizes of all events are summed up, which the
	// server has to read them for.
	sumEvery = 10 * time.Minute

	// goneFor is how long it is known that a node was deleted.
	goneFor = 7 * 24 * time.Hour
)

// TrimEvents implements [registry.Journal]. It trims by size every ten minutes
// only.
func (s *Store) TrimEvents(ctx context.Context, before uint64, most int64) error {
	if err := s.deleteEvents(ctx, bson.D{{Key: "$lt", Value: int64(before)}}); err != nil {
		return err
	}
	now := s.now()
	if last := s.summed.Load(); last != 0 && now.UnixMicro()-last < sumEvery.Microseconds() {
		return nil
	}
	long := bson.D{{Key: "rev", Value: bson.D{{Key: "$lt", Value: now.Add(-goneFor).UnixMicro()}}}}
	if _, err := s.gone.DeleteMany(ctx, long); err != nil {
		return s.words("trimming history in", err)
	}
	if err := s.trimToSize(ctx, most); err != nil {
		return err
	}
	s.summed.Store(now.UnixMicro())
	return nil
}

func (s *Store) deleteEvents(ctx context.Context, ids bson.D) error {
	if _, err := s.events.DeleteMany(ctx, bson.D{{Key: "_id", Value: ids}}); err != nil {
		return s.words("trimming history in", err)
	}
	return nil
}

// errEnough ends a reading.
var errEnough = errors.New("enough has been read")

// trimToSize forgets the oldest events beyond so many bytes.
func (s *Store) trimToSize(ctx context.Context, most int64) error {
	total, err := s.sizeOfEvents(ctx)
	if err != nil || total <= most {
		return err
	}
	var last int64
	oldest := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(bson.D{{Key: "size", Value: 1}})
	err = s.read(ctx, s.events, bson.D{}, oldest, func(cursor *mongo.Cursor) error {
		var d struct {
			ID   int64 `bson:"_id"`
			Size int64 `bson:"size"`
		}
		if err := cursor.Decode(&d); err != nil {
			return err
		}
		last = d.ID
		if total -= d.Size; total <= most {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return s.deleteEvents(ctx, bson.D{{Key: "$lte", Value: last}})
}

func (s *Store) sizeOfEvents(ctx context.Context) (int64, error) {
	sum := bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "total", Value: bson.D{{Key: "$sum", Value: "$size"}}}}}}
	cursor, err := s.events.Aggregate(ctx, mongo.Pipeline{sum})
	if err != nil {
		return 0, s.words("measuring history in", err)
	}
	var sums []struct {
		Total int64 `bson:"total"`
	}
	if err := cursor.All(ctx, &sums); err != nil {
		return 0, s.words("measuring history in", err)
	}
	if len(sums) == 0 {
		return 0, nil
	}
	return sums[0].Total, nil
}
