package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/bus"
	"muster/internal/wire"
)

// Daemon is the program on a node: it registers the node again and again, and
// answers requests. Its name is the name in the Sealer's certificate.
type Daemon struct {
	Bus     Bus
	Sealer  *wire.Sealer
	Opener  *wire.Opener  // opens requests and receipts; of this daemon only, as it remembers what it has opened
	Counter *wire.Counter // orders this node's registrations, over restarts too

	Connector wire.Connector // the names of destinations; "" means RabbitMQ's, which the embedded broker has too

	// Collect finds what to register; see [Collector].
	Collect func(context.Context) Snapshot

	Agents      []Agent  // besides rpcutil, which is always there
	Collectives []string // the first is the main one; empty means [DefaultCollective]

	Interval time.Duration // between registrations, ±10 %; 0 means 5 minutes
	Splay    time.Duration // the first registration waits a random part of this, so that a fleet does not come at once

	// Registries and Callers are names that may send receipts and requests
	// although their certificates lack the role of registry or operator.
	Registries, Callers []string

	Renew func() // called when a registry wants this node to get itself a new certificate; nil: it does not

	Version string           // of the program, for inventories
	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil means slog.Default()
}

// DefaultInterval is the time between two registrations of one node.
const DefaultInterval = 5 * time.Minute

// Receipt is the registry's answer to a registration.
type Receipt struct {
	Accepted       bool
	Warnings       []string      // about what was kept nevertheless
	Next           time.Duration // when the registry wants to hear again; 0: it does not say
	Reason, Detail string        // why it was not accepted
	Renew          bool          // the node should get itself a new certificate
	Registry       string        // who answered
}

// Run registers and answers until ctx is done, and returns its cause. What goes
// wrong on the way is logged and tried again; an error before ctx is done says
// why the daemon could not begin at all. Everything that was begun has ended
// when Run returns.
func (d Daemon) Run(ctx context.Context) error {
	run, err := d.start(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer run.stop()
	defer cancel()
	if err := run.serve(ctx); err != nil {
		return err
	}
	run.registerForEver(ctx)
	return context.Cause(ctx)
}

// Once registers without splay and returns the receipt. It waits until ctx is
// done; its error then says what it was waiting for. A registration that was
// not accepted is an error too, beside the receipt.
func (d Daemon) Once(ctx context.Context) (Receipt, error) {
	run, err := d.start(ctx)
	if err != nil {
		return Receipt{}, err
	}
	defer run.stop()
	receipt, err := run.register(ctx)
	if err != nil {
		return Receipt{}, err
	}
	if !receipt.Accepted {
		return receipt, fmt.Errorf("registering %s: %s refused it: %s (%s)", d.Sealer.Name(), receipt.Registry, receipt.Detail, receipt.Reason)
	}
	return receipt, nil
}

// daemon is one run of a Daemon.
type daemon struct {
	Daemon
	name     string
	agents   map[string]Agent
	replyTo  string
	receipts chan wire.Opened
	cancels  []func() // of subscriptions
	workers  sync.WaitGroup
	jobs     chan job
	started  time.Time

	mu           sync.Mutex // guards what follows
	current      Snapshot
	acknowledged time.Time
	requests     requestCounts
}

// start fills in what the configuration leaves out, and listens for receipts.
func (d Daemon) start(ctx context.Context) (*daemon, error) {
	var err error
	if d.Collectives, err = checkedCollectives(d.Collectives); err != nil {
		return nil, err
	}
	d.Log, d.Now = logger(d.Log), clock(d.Now)
	if d.Interval <= 0 {
		d.Interval = DefaultInterval
	}
	run := &daemon{
		Daemon: d, name: d.Sealer.Name(), agents: map[string]Agent{},
		receipts: make(chan wire.Opened, 16), jobs: make(chan job, maxWaitingRequests), started: d.Now(),
	}
	for _, a := range slices.Concat([]Agent{run.rpcutil()}, d.Agents) {
		if a.Timeout <= 0 {
			a.Timeout = defaultActionTimeout
		}
		if _, twice := run.agents[a.Name]; twice {
			return nil, fmt.Errorf("two RPC agents are called %s", a.Name)
		}
		run.agents[a.Name] = a
	}
	run.replyTo = d.Connector.Reply(d.Collectives[0])
	err = run.listen(ctx, bus.Subscription{Destination: run.replyTo}, run.receipt)
	if err != nil {
		return nil, fmt.Errorf("listening for the registry's receipts to %s: %w", run.name, err)
	}
	return run, nil
}

func (d *daemon) listen(ctx context.Context, s bus.Subscription, handle func(context.Context, bus.Delivery)) error {
	cancel, err := d.Bus.Subscribe(ctx, s, handle)
	if err != nil {
		return err
	}
	d.cancels = append(d.cancels, cancel)
	return nil
}

// stop ends the subscriptions and waits for the workers, whose context is done.
func (d *daemon) stop() {
	for _, cancel := range d.cancels {
		cancel()
	}
	d.workers.Wait()
}

func (d *daemon) agentNames() []string { return slices.Sorted(maps.Keys(d.agents)) }

// snapshot is what was last collected. Before the first registration that is
// nothing, and is collected now.
func (d *daemon) snapshot(ctx context.Context) Snapshot {
	d.mu.Lock()
	s := d.current
	d.mu.Unlock()
	if s.Taken.IsZero() {
		s = d.Collect(ctx)
	}
	return s
}

// receipt takes a message from the reply destination; whatever is not a
// receipt from a registry is dropped.
func (d *daemon) receipt(_ context.Context, delivery bus.Delivery) {
	opened, err := d.Opener.Open(delivery.Body)
	switch {
	case err != nil:
		d.Log.Warn("something that is no receipt came to the reply destination", "error", err)
		return
	case opened.Kind != wire.Receipt:
		d.Log.Warn("something that is no receipt came to the reply destination", "kind", opened.Kind, "from", opened.Proof.Name)
		return
	case !allowed(opened.Proof, "registry", d.Registries):
		d.Log.Warn("a receipt from somebody who is no registry", "from", opened.Proof.Name, "role", opened.Proof.Role)
		return
	}
	select {
	case d.receipts <- opened:
	default: // nobody waits for so many
	}
}

// allowed reports whether a sender has the role, or is one of the names.
func allowed(p wire.Proof, role string, names []string) bool {
	return p.Role == role || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, p.Name) })
}
