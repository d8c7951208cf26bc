package registry

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// ErrLoading is the answer while the store is still being read: what is known
// is not known yet.
var ErrLoading = errors.New("the registry is still loading its nodes")

// Config says how a registry works.
type Config struct {
	Store     Store     // nil: memory only
	Lifecycle Lifecycle // when nodes are stale and expired

	// Background lets Open return before the store is read; until then
	// everything answers ErrLoading. See [Registry.Ready].
	Background bool

	// TouchEvery is how often the times of unchanged nodes are written to the
	// store; 0: 30 s.
	TouchEvery time.Duration

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()
}


// Registry is the table of nodes. Its methods may be called from several
// goroutines.
type Registry struct{}

// Open reads the store and returns the registry over it, which owns the store
// from then on: Close closes it. When Open fails the store is closed.
func Open(ctx context.Context, c Config) (*Registry, error) { return nil, errors.ErrUnsupported }

// Ready waits until the store is read, and returns why it could not be.
func (r *Registry) Ready(ctx context.Context) error { return nil }

// Register stores what one message says, and returns once it is stored. The
// error is a [*Refusal], which it has recorded, or says why it could not be
// stored: then the registration is not acknowledged, and may be sent again.
func (r *Registry) Register(ctx context.Context, reg Registration) (Receipt, error) {
	return Receipt{}, errors.ErrUnsupported
}

// Refuse records a registration that another room refused.
func (r *Registry) Refuse(f Refusal) {}

// Rejected returns the last refusals, newest first: at most 1,000.
func (r *Registry) Rejected() []Refusal { return nil }

// Node returns one node, in whatever state it is.
func (r *Registry) Node(id string) (Node, bool) { return Node{}, false }

// Find answers a discovery.
func (r *Registry) Find(ctx context.Context, d Discovery) (Answer, error) {
	return Answer{}, errors.ErrUnsupported
}

// Revision grows with each change of what nodes are; not with their time stamps.
func (r *Registry) Revision() uint64 { return 0 }

// Close writes what is still to be written and closes the store.
func (r *Registry) Close() error { return nil }
