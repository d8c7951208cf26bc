package mongostore

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"muster/registry"
)

const (
	// overlap is how long what was read is read again: a number may have been
	// given out so long before it is used. It is more than writeWait.
	overlap = 30 * time.Second

	// mostly is how long it usually takes at most, so that all of the overlap
	// is read again now and then only.
	mostly    = 2 * time.Second
	readEvery = 10 * time.Second
)

// follower reads everything that has a number after one that was the last
// given out some time ago, and leaves out what it has seen.
type follower struct {
	store    *Store
	readings []reading        // of the clock; the first is from overlap ago
	read     time.Time        // when it last read from the first of them
	seen     map[string]int64 // numbers of documents, after the first reading
	told     map[int64]bool   // IDs of events, likewise
}

// reading is the clock at a time.
type reading struct {
	when time.Time
	at   int64
}

// Follow implements [registry.Shared].
func (s *Store) Follow(ctx context.Context) (registry.Follower, error) {
	at, err := s.lastTick(ctx)
	if err != nil {
		return nil, s.words("reading from", err)
	}
	start := reading{when: s.now(), at: at - overlap.Microseconds()}
	return &follower{store: s, readings: []reading{start}, seen: map[string]int64{}, told: map[int64]bool{}}, nil
}

// Next implements [registry.Follower].
func (f *follower) Next(ctx context.Context, see func(registry.Changes) error) error {
	now := f.store.now()
	if now.Sub(f.readings[len(f.readings)-1].when) > goneFor/2 {
		return registry.ErrFarBehind
	}
	at, err := f.store.lastTick(ctx)
	if err != nil {
		return f.store.words("reading from", err)
	}
	from := f.readings[0].at
	all := now.Sub(f.read) >= readEvery
	if !all {
		for _, r := range f.readings {
			if now.Sub(r.when) >= mostly {
				from = r.at
			}
		}
	}
	if at != from {
		if err := f.readFrom(ctx, from, see); err != nil {
			return err
		}
	}
	if all {
		f.read = now
	}
	f.readings = append(f.readings, reading{now, at})
	f.forget(now)
	return nil
}

// forget moves on to the last reading that is old enough.
func (f *follower) forget(now time.Time) {
	old := 0
	for old+1 < len(f.readings) && now.Sub(f.readings[old+1].when) >= overlap {
		old++
	}
	f.readings = slices.Delete(f.readings, 0, old)
	for key, rev := range f.seen {
		if rev <= f.readings[0].at {
			delete(f.seen, key)
		}
	}
	for id := range f.told {
		if id <= f.readings[0].at {
			delete(f.told, id)
		}
	}
}

// readFrom reads what has a number after from. Events come first: what they are
// about is in the documents then.
func (f *follower) readFrom(ctx context.Context, from int64, see func(registry.Changes) error) error {
	var c registry.Changes
	err := f.store.Events(ctx, registry.EventRange{After: uint64(max(0, from))}, func(e registry.Event) error {
		if !f.told[int64(e.ID)] {
			c.Events = append(c.Events, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fresh := map[string]int64{}
	for _, part := range []struct {
		from   *mongo.Collection
		prefix string // of keys in seen
	}{{f.store.nodes, "node "}, {f.store.gone, "gone "}} {
		after := bson.D{{Key: "rev", Value: bson.D{{Key: "$gt", Value: from}}}}
		err := f.store.read(ctx, part.from, after, options.Find().SetProjection(standing), func(cursor *mongo.Cursor) error {
			var d stand
			if err := cursor.Decode(&d); err != nil {
				return err
			}
			if key := part.prefix + d.ID; f.seen[key] != d.Revision {
				fresh[key] = d.Revision
				c.Nodes = append(c.Nodes, d.seen())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(c.Events)+len(c.Nodes) > 0 {
		if err := see(c); err != nil {
			return err
		}
	}
	maps.Copy(f.seen, fresh)
	for _, e := range c.Events {
		f.told[int64(e.ID)] = true
		f.store.isNewest(int64(e.ID))
	}
	return nil
}

// stand is the part of a document, or of a tombstone, that tells followers how
// a node stands.
type stand struct {
	ID       string `bson:"_id"`
	Identity string `bson:"identity"`
	Version  int64  `bson:"version"`
	Revision int64  `bson:"rev"`
	Sections map[string]struct {
		Sequence int64         `bson:"sequence"`
		Sent     time.Time     `bson:"sent"`
		Received time.Time     `bson:"received"`
		Learnt   time.Duration `bson:"learnt"`
	} `bson:"sections"`
}

// standing projects a document to a stand.
var standing = func() bson.D {
	fields := bson.D{{Key: "identity", Value: 1}, {Key: "version", Value: 1}, {Key: "rev", Value: 1}}
	for _, source := range []registry.Source{registry.Daemon, registry.PuppetFacts, registry.Catalog, registry.Report, registry.Import} {
		for _, field := range []string{"sequence", "sent", "received", "learnt"} {
			fields = append(fields, bson.E{Key: "sections." + string(source) + "." + field, Value: 1})
		}
	}
	return fields
}()

func (d *stand) seen() registry.Seen {
	s := registry.Seen{Identity: registry.Identity(d.Identity), Version: uint64(d.Version)}
	for source, b := range d.Sections {
		s.Beats = append(s.Beats, registry.Beat{
			Identity: s.Identity, Source: registry.Source(source), Sequence: uint64(b.Sequence),
			Sent: utc(b.Sent), Received: utc(b.Received), Learnt: b.Learnt,
		})
	}
	return s
}
