package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/pack"
)

// ErrLoading is the answer while the store is still being read: what is known
// is not known yet.
var ErrLoading = errors.New("the registry is still loading its nodes")

// Config says how a registry works.
type Config struct {
	Store     Store     // nil: memory only
	Lifecycle Lifecycle // when nodes are stale and expired, and forgotten

	// Background lets Open return before the store is read; until then
	// everything answers ErrLoading. See [Registry.Ready].
	Background bool

	// Volatile are patterns of facts that differ in every registration, such
	// as "memory.*.used": * is any one key, and a pattern holds all below it.
	// Such facts can be asked for like others, but are no change: they are not
	// written until something else is. Nil: [DefaultVolatile].
	Volatile []string

	Retention Retention // how long events are remembered
	Redact    Redaction // which facts are secrets, and never kept

	// Deaf is true where [Registry.Hearing] will be told when nodes can be heard.
	Deaf bool

	// TouchEvery is how often nodes grow older, and the times of unchanged ones
	// are written to the store; 0: 30 s.
	TouchEvery time.Duration

	// FollowEvery is how often it is looked what other registries wrote to a store
	// that is [Shared]; 0: 1 s.
	FollowEvery time.Duration

	// Direct keeps no nodes in memory: the store, which must be a [Searcher], is
	// asked for each answer. What needs all nodes at once answers [ErrDirect],
	// the states of nodes do not freeze, and nobody is forgotten.
	Direct bool

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()
}

// Registry is the table of nodes. Its methods may be called from several
// goroutines.
type Registry struct {
	conf     Config
	store    Store
	shared   Shared // store, if it is; else nil
	follows  following
	direct   direct
	rejected rejected
	beats    beats
	life     life
	events   events
	machines machines
	restless restless
	storing  storing
	volatile volatility
	printer  printer
	redact   redactor
	counts   counts
	words    words

	packer  *pack.Packer
	table   *table        // valid once loaded is closed and loadErr is nil
	loaded  chan struct{} // closed when the store has been read, or could not be
	loadErr error         // valid once loaded is closed

	writing [64]sync.Mutex // one registration at a time for one identity, by its hash
	seed    maphash.Seed

	stop context.CancelFunc // ends what runs in the background
	done sync.WaitGroup     // what runs in the background
}

// Open reads the store and returns the registry over it, which owns the store
// from then on: Close closes it. When Open fails the store is closed.
//
// The context bounds the reading, also in the background.
func Open(ctx context.Context, c Config) (*Registry, error) {
	c.Lifecycle = c.Lifecycle.complete()
	c.Retention.Age = orDefault(c.Retention.Age, 90*24*time.Hour)
	c.Retention.Bytes = orDefault(c.Retention.Bytes, 256<<20)
	c.TouchEvery = orDefault(c.TouchEvery, 30*time.Second)
	c.FollowEvery = orDefault(c.FollowEvery, time.Second)
	if c.Volatile == nil {
		c.Volatile = DefaultVolatile()
	}
	if c.Store == nil {
		c.Store = &MemoryStore{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	volatile, err := parseVolatility(c.Volatile)
	if err != nil {
		return nil, errors.Join(err, c.Store.Close())
	}
	packer, err := packerOf(c.Store)
	if err != nil {
		return nil, errors.Join(err, c.Store.Close())
	}
	r := &Registry{conf: c, packer: packer, volatile: volatile, store: c.Store, loaded: make(chan struct{}), seed: maphash.MakeSeed()}
	r.shared, _ = c.Store.(Shared)
	r.follows.wake = make(chan struct{}, 1)
	r.life.deaf, r.machines.off = c.Deaf, c.Direct
	if err := cmp.Or(r.direct.open(&c), r.redact.configure(c.Redact)); err != nil {
		return nil, errors.Join(err, c.Store.Close())
	}
	r.printer = printer{seed: r.seed, volatile: volatile}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.done.Go(func() {
		r.load(ctx)
		r.keepHouse(background)
	})
	r.done.Go(func() { r.followOthers(background) })
	if c.Background {
		return r, nil
	}
	if err := r.Ready(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Ready waits until the store is read, and returns why it could not be.
func (r *Registry) Ready(ctx context.Context) error {
	select {
	case <-r.loaded:
		return cmp.Or(r.loadErr, r.direct.failed(r.conf.Now()))
	case <-ctx.Done():
		return fmt.Errorf("waiting for the nodes to be loaded: %w", context.Cause(ctx))
	}
}

// usable returns nil once the table can be used, and ErrLoading before.
func (r *Registry) usable() error {
	select {
	case <-r.loaded:
		return r.loadErr
	default:
		return ErrLoading
	}
}

// Node returns one node, in whatever state it is. It finds none while the
// store is still being read: see Ready. Where the store is asked for everything
// it finds none either while that can not be read, which Ready then tells.
func (r *Registry) Node(id string) (Node, bool) {
	if r.usable() != nil {
		return Node{}, false
	}
	if r.direct.is() {
		return r.storedNode(id)
	}
	n := r.table.head(Identity(id).Key())
	if n == nil {
		return Node{}, false
	}
	return Found{Head: n, State: r.stateOf(n)}.Node(), true
}

// Refuse records a registration that another room refused.
func (r *Registry) Refuse(f Refusal) { r.rejected.add(f, r.conf.Now()) }

// Rejected returns the last refusals, newest first: at most 1,000.
func (r *Registry) Rejected() []Refusal { return r.rejected.list() }

// Revision grows with each change of what nodes are; not with their time stamps.
func (r *Registry) Revision() uint64 {
	if r.usable() != nil {
		return 0
	}
	_, revision := r.table.state()
	return revision
}

// Stats are numbers for metrics, counted since the registry was opened.
type Stats struct {
	Nodes     int // now, in any state
	Revision  uint64
	Changed   uint64            // registrations that were accepted and stored
	Unchanged uint64            // registrations that were accepted and said nothing new
	Failed    uint64            // registrations that could not be stored
	Refused   map[string]uint64 // by reason
	Redacted  map[string]uint64 // values that looked like secrets, by what showed it: name or value
	Life      LifeStats

	UnstoredSince time.Time // since when nothing can be stored; zero: it can
	Unstored      string    // why
}

// LifeStats are the numbers of the lifecycle.
type LifeStats struct {
	States      map[State]int // nodes by state, as of the last look at all of them
	DeafSince   time.Time     // zero: the registry can hear
	FrozenSince time.Time     // zero: states are not frozen; see [Lifecycle.FreezeShare]
	Collisions  int           // nodes as which more than one machine registers
	Overdue     int           // nodes that are about to change state
	Purged      uint64        // nodes that were forgotten
	PurgeHeld   int           // nodes that would be forgotten but for [Lifecycle.PurgeShare]
	Slow        uint64        // watchers that were given up because they fell behind
}

// counts are the countable part of Stats.
type counts struct{ changed, unchanged, failed atomic.Uint64 }

// Stats returns the numbers of now.
func (r *Registry) Stats() Stats {
	s := Stats{
		Changed:   r.counts.changed.Load(),
		Unchanged: r.counts.unchanged.Load(),
		Failed:    r.counts.failed.Load(),
		Refused:   r.rejected.byReason(),
		Redacted:  map[string]uint64{"name": r.redact.byName.Load(), "value": r.redact.byValue.Load()},
	}
	s.UnstoredSince, s.Unstored = r.storing.failing()
	if r.usable() == nil {
		s.Nodes, s.Revision = r.table.state()
		s.Life = r.lifeStats()
		if r.direct.is() {
			s.Nodes = int(r.direct.nodes.Load())
		}
	}
	return s
}

// Close waits for what is under way in the background, writes what is still to
// be written and closes the store. Nothing may be called during or after it.
func (r *Registry) Close() error {
	r.stop()
	r.done.Wait()
	return r.store.Close()
}
