package mongostore

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"muster/registry"
)

const (
	maxGroup  = 500              // changes that are written together at most
	chunk     = 500              // documents that one request writes at most
	writeWait = 20 * time.Second // how long writing may take
)

// errClosed is what a change gets that comes after Close.
var errClosed = errors.New("the store is closed")

// change is documents and events that are written together, and where the
// outcome goes.
//
// A document is written with the event that made it what it is: so that both
// are stored in one step, whatever the server. Only then does the event go
// to the journal. Where that failed, whoever reads the document next does it, see
// settle.
type change struct {
	puts   []put
	events []eventDocument
	done   chan error // has room for one
}

// put is a document to be written where filter finds the one before; exclusive
// says that otherwise nothing may be written. Without a filter there is none
// before.
type put struct {
	doc       document
	filter    bson.D
	exclusive bool
}

func (p *put) model() mongo.WriteModel {
	if p.filter == nil {
		return mongo.NewInsertOneModel().SetDocument(p.doc)
	}
	return mongo.NewReplaceOneModel().SetFilter(p.filter).SetReplacement(p.doc).SetUpsert(true)
}

// commit writes a change. When ctx ends meanwhile it is unknown whether it
// succeeds.
func (s *Store) commit(ctx context.Context, c *change) error {
	if len(c.puts)+len(c.events) == 0 {
		return nil
	}
	c.done = make(chan error, 1)
	select {
	case s.changes <- c:
	case <-ctx.Done():
		return s.words("writing to", context.Cause(ctx))
	case <-s.closing:
		return s.words("writing to", errClosed)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return s.words("writing to", context.Cause(ctx))
	}
}

// commits makes changes until the store is closed. While the servers confirm
// some the next ones gather.
func (s *Store) commits() {
	for {
		select {
		case first := <-s.changes:
			group := []*change{first}
			for more := true; more && len(group) < maxGroup; {
				select {
				case next := <-s.changes:
					group = append(group, next)
				default:
					more = false
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), writeWait)
			for i, err := range s.commitGroup(ctx, group) {
				group[i].done <- err
			}
			cancel()
		case <-s.closing:
			return
		}
	}
}

// commitGroup returns the outcome of each change.
func (s *Store) commitGroup(ctx context.Context, group []*change) []error {
	outcome := make([]error, len(group))
	if err := s.number(ctx, group); err != nil {
		for i := range outcome {
			outcome[i] = s.words("writing to", err)
		}
		return outcome
	}
	var puts []put
	var of []int // the change of a put
	for i, c := range group {
		for _, p := range c.puts {
			puts, of = append(puts, p), append(of, i)
		}
	}
	for i, err := range s.putAll(ctx, puts) {
		if err != nil && outcome[of[i]] == nil {
			outcome[of[i]] = err
		}
	}
	var events []eventDocument
	for i, c := range group {
		if outcome[i] == nil {
			events = append(events, c.events...)
		}
	}
	if err := s.insertEvents(ctx, events); err != nil {
		for i, c := range group {
			if outcome[i] == nil && len(c.events) > 0 {
				outcome[i] = err
			}
		}
	}
	return outcome
}

// number gives documents and events their numbers, and documents their event.
func (s *Store) number(ctx context.Context, group []*change) error {
	n := 0
	for _, c := range group {
		n += len(c.puts) + len(c.events)
	}
	next, err := s.tick(ctx, n)
	if err != nil {
		return err
	}
	for _, c := range group {
		for i := range c.events {
			if c.events[i].ID == 0 {
				c.events[i].ID = next
				next++
			}
		}
		for i := range c.puts {
			doc := &c.puts[i].doc
			doc.Revision = next
			next++
			if e := slices.IndexFunc(c.events, func(e eventDocument) bool { return e.Node == doc.ID }); e >= 0 {
				doc.Event = &c.events[e]
			}
		}
	}
	return nil
}

// putAll returns the outcome of each put.
func (s *Store) putAll(ctx context.Context, puts []put) []error {
	models := make([]mongo.WriteModel, len(puts))
	for i := range puts {
		models[i] = puts[i].model()
	}
	outcome := s.bulk(ctx, s.nodes, models)
	for i, err := range outcome {
		// The filter found nothing, and yet the document is there.
		if !mongo.IsDuplicateKeyError(err) {
			continue
		}
		if puts[i].exclusive {
			outcome[i] = registry.ErrOvertaken
		} else { // two of one new node at the same time, ours and another registry's
			outcome[i] = s.bulk(ctx, s.nodes, models[i:i+1])[0]
		}
	}
	return outcome
}

// bulk makes writes that do not depend on each other, and returns the outcome
// of each.
func (s *Store) bulk(ctx context.Context, to *mongo.Collection, models []mongo.WriteModel) []error {
	outcome := make([]error, 0, len(models))
	for some := range slices.Chunk(models, chunk) {
		done, err := to.BulkWrite(ctx, some, options.BulkWrite().SetOrdered(false))
		outcome = append(outcome, s.outcomes(ctx, to, some, done, err)...)
	}
	return outcome
}

// outcomes tells the writes that failed from the others.
func (s *Store) outcomes(ctx context.Context, to *mongo.Collection, models []mongo.WriteModel, done *mongo.BulkWriteResult, err error) []error {
	outcome := make([]error, len(models))
	if err == nil {
		return outcome
	}
	bulk, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		for i := range outcome {
			outcome[i] = s.words("writing to", err)
		}
		return outcome
	}
	for _, w := range bulk.WriteErrors {
		outcome[w.Index] = s.words("writing to", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{w}})
	}
	if done != nil && done.MatchedCount+done.UpsertedCount+done.InsertedCount+done.DeletedCount+int64(len(bulk.WriteErrors)) >= int64(len(models)) {
		return outcome
	}
	// The server has not told of all, or has stopped at the first that failed.
	for i := range outcome {
		if outcome[i] == nil {
			if _, err := to.BulkWrite(ctx, models[i:i+1]); err != nil {
				outcome[i] = s.words("writing to", err)
			}
		}
	}
	return outcome
}
