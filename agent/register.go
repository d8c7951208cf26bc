package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"muster/internal/bus"
	"muster/internal/wire"
)

const (
	// firstWait is how long the daemon waits for a receipt before it sends
	// again; each further wait is twice as long, up to longestWait.
	firstWait   = 5 * time.Second
	longestWait = 2 * time.Minute

	// shortestPublish is what a broker gets to take a registration, however
	// short the interval is.
	shortestPublish = 30 * time.Second

	// A registry may not slow a node down, or hurry it, beyond these.
	shortestNext = time.Second
	longestNext  = 24 * time.Hour
)

// registerForEver registers after the splay, and then at every interval, counted
// from the beginning of the last registration.
func (d *daemon) registerForEver(ctx context.Context) {
	if d.Splay > 0 && !sleep(ctx, rand.N(d.Splay)) {
		return
	}
	for {
		began := time.Now()
		pause := d.Interval
		receipt, err := d.register(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.Log.Error("the node could not be registered", "error", err)
		case !receipt.Accepted:
			d.Log.Error("the registry refused this node's registration", "registry", receipt.Registry, "reason", receipt.Reason, "detail", receipt.Detail)
		}
		if receipt.Next > 0 {
			pause = min(max(receipt.Next, shortestNext), longestNext)
		}
		if !sleep(ctx, jitter(pause)-time.Since(began)) {
			return
		}
	}
}

// register collects and sends until the registry has answered, or ctx is done.
func (d *daemon) register(ctx context.Context) (Receipt, error) {
	a := attempt{daemon: d, ids: map[string]bool{}}
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := a.send(ctx)
		switch {
		case err == nil:
			a.waiting, a.problem = "the registry's receipt", nil
			receipt, err := a.await(ctx, jitter(wait))
			if err == nil {
				d.done(receipt, a.sent)
				return receipt, nil
			}
		case errors.Is(err, errUnfit):
			return Receipt{}, fmt.Errorf("registering %s: %w", d.name, err)
		case ctx.Err() == nil:
			a.problem = err
			d.Log.Warn("a registration could not be sent; it is sent again", "error", err, "in", wait)
			sleep(ctx, jitter(wait))
		default:
			a.problem = err
		}
		if ctx.Err() != nil {
			return Receipt{}, a.over(context.Cause(ctx))
		}
	}
}

// done notes that the registry has answered.
func (d *daemon) done(r Receipt, tries int) {
	for _, w := range r.Warnings {
		d.Log.Warn("the registry warns about this node", "warning", w)
	}
	if r.Renew && d.Renew != nil {
		d.Renew()
	}
	if !r.Accepted {
		return
	}
	d.mu.Lock()
	d.acknowledged = d.Now()
	d.mu.Unlock()
	d.Log.Info("registered", "node", d.name, "registry", r.Registry, "tries", tries)
}

// attempt is one registration, sent as often as it takes. Each sending has a
// request id and a place in the order of its own, since the one before may
// have been committed, and a receipt for any of them will do.
type attempt struct {
	*daemon
	body  []byte
	taken time.Time
	ids   map[string]bool
	last  string // the request id sent last
	sent  int

	waiting string // for what; the words of over
	problem error  // why it has to wait, where that is known
}

var (
	errWaiting = errors.New("no receipt yet")

	// errUnfit marks what sending again does not mend.
	errUnfit = errors.New("the registration can not be made")
)

// over says what the attempt was waiting for when its time was over.
func (a *attempt) over(cause error) error {
	switch {
	case a.problem == nil:
		return fmt.Errorf("registering %s: waiting for %s (%s): %w", a.name, a.waiting, a.tries(), cause)
	case errors.Is(a.problem, cause): // and says more
		return fmt.Errorf("registering %s: waiting for %s (%s): %w", a.name, a.waiting, a.tries(), a.problem)
	}
	return fmt.Errorf("registering %s: waiting for %s (%s): %w; before that: %w", a.name, a.waiting, a.tries(), cause, a.problem)
}

func (a *attempt) tries() string {
	if a.sent == 1 {
		return "sent once"
	}
	return fmt.Sprintf("sent %d times", a.sent)
}

// send publishes the registration; the facts are collected anew if they are
// older than the interval.
func (a *attempt) send(ctx context.Context) error {
	if a.body == nil || time.Since(a.taken) > a.Interval {
		a.waiting = "this node's facts to be collected"
		if err := a.collect(ctx); err != nil {
			return err
		}
	}
	a.waiting = "the broker"
	sequence, err := a.Counter.Next()
	if err != nil { // the number is in order all the same, until a restart
		a.Log.Warn("the order of registrations could not be kept on disk", "error", err)
	}
	id := wire.NewRequestID()
	collective := a.Collectives[0]
	sealed, err := a.Sealer.Seal(wire.Message{
		Kind: wire.Registration, Agent: "registration", Collective: collective,
		RequestID: id, Sequence: sequence, Sent: a.Now(), ReplyTo: a.replyTo, Body: a.body,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	// Publish waits for a connection; not for longer than the facts are fresh,
	// but long enough to make one.
	ctx, cancel := context.WithTimeout(ctx, max(a.Interval, shortestPublish))
	defer cancel()
	a.ids[id], a.last = true, id
	err = a.Bus.Publish(ctx, bus.Message{
		Destination: a.Connector.Broadcast(collective, "registration"), ReplyTo: a.replyTo, Body: sealed,
		Headers: map[string]string{"mc_sender": a.name}, // proves nothing, but names who sent what can not be opened
	})
	if err == nil {
		a.sent++
	}
	return err
}

func (a *attempt) collect(ctx context.Context) error {
	a.taken = time.Now()
	s := a.Collect(ctx)
	for _, w := range s.Warnings { // also if the time is over: they say what took it
		a.Log.Warn("not everything could be collected", "warning", w)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	body, err := registrationBody(s, a.agentNames(), a.Collectives, a.Interval)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	a.body = body
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = s
	return nil
}

// await waits for a receipt for anything that this attempt sent. Only the
// last one may be refused: those before it may just have been overtaken.
func (a *attempt) await(ctx context.Context, wait time.Duration) (Receipt, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case opened := <-a.receipts:
			if !a.ids[opened.RequestID] {
				continue // for an earlier attempt, come late
			}
			var body receiptBody
			if err := json.Unmarshal(opened.Body, &body); err != nil {
				a.Log.Warn("a receipt that can not be read", "from", opened.Proof.Name, "error", err)
				continue
			}
			if !body.Accepted && opened.RequestID != a.last {
				continue
			}
			return Receipt{
				Accepted: body.Accepted, Warnings: body.Warnings, Next: time.Duration(body.Next) * time.Second,
				Reason: body.Reason, Detail: body.Detail, Registry: opened.Proof.Name, Renew: body.Renew,
			}, nil
		case <-timer.C:
			return Receipt{}, errWaiting
		case <-ctx.Done():
			return Receipt{}, context.Cause(ctx)
		}
	}
}

// jitter is d, give or take a tenth, so that a fleet does not stay in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(max(d/5, 1))
}

// sleep waits and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
