package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// words says what went wrong while something was done to MongoDB, without the
// driver's vocabulary. The cause is kept for errors.Is.
func (s *Store) words(doing string, err error) error {
	return &failure{fmt.Sprintf("%s MongoDB at %s: %s", doing, s.hosts, reason(err)), err}
}

// failure is an error with a text of ours.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

func reason(err error) string {
	if _, ok := errors.AsType[topology.ServerSelectionError](err); ok {
		return "no server there can be reached and written to"
	}
	server, isServer := errors.AsType[mongo.ServerError](err)
	bulk, isBulk := errors.AsType[mongo.BulkWriteException](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "it was given up"
	case mongo.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, mongo.ErrClientDisconnected):
		return "the store is closed"
	case isServer && server.HasErrorCode(18):
		return "it refuses the login"
	case isServer && server.HasErrorCode(13):
		return "the account may not do that"
	case isServer && (server.HasErrorCode(10334) || server.HasErrorCode(17280)):
		return "a node is larger than a document can be"
	case isBulk && len(bulk.WriteErrors) > 0:
		return "it answered: " + bulk.WriteErrors[0].Message
	case isBulk && bulk.WriteConcernError != nil:
		return "a majority of the servers did not confirm it: " + bulk.WriteConcernError.Message
	case mongo.IsNetworkError(err):
		return "the connection broke"
	}
	if command, ok := errors.AsType[mongo.CommandError](err); ok {
		return "it answered: " + command.Message
	}
	return err.Error()
}
