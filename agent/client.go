package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/bus"
	"muster/internal/wire"
	"muster/registry"
)

// Client calls RPC agents on nodes, in the name of its Sealer's certificate.
type Client struct {
	Bus       Bus
	Sealer    *wire.Sealer
	Opener    *wire.Opener     // opens replies
	Connector wire.Connector   // "" means RabbitMQ's, which the embedded broker has too
	Now       func() time.Time // nil means time.Now
}

// Call is what to ask of whom.
type Call struct {
	Agent, Action string
	Data          any // marshals to a JSON object; nil means none

	Collective string        // empty means [DefaultCollective]
	Nodes      []string      // identities; each is asked once
	Timeout    time.Duration // for the whole call; 0 means 12 seconds
}

// Reply is what one node answered.
type Reply struct {
	Sender  string // the identity that was asked, proven
	Status  Status
	Message string          // "OK", or what went wrong
	Data    json.RawMessage // a JSON object
	Took    time.Duration   // since the call began
}

// Outcome is how a call ended.
type Outcome struct {
	Replies int // that many nodes answered
	Failed  int // of which with another status than OK

	Silent   []string   // who was asked and did not answer in time, sorted
	Unproven []Unproven // what came and was not believed
	Took     time.Duration
}

// Unproven is a reply that was thrown away.
type Unproven struct {
	Sender string // as claimed; empty if that can not be read
	Reason string
}

const (
	defaultCallTimeout = 12 * time.Second // an action's 10 and the way there and back
	publishers         = 16

	// shortestTTL of a request leaves room for clocks that differ.
	shortestTTL = time.Minute
	maxUnproven = 100 // remembered of one call
)

// Call asks each node and hands each reply to each, one at a time, as it comes.
// It ends when all have answered or the time is over; who was silent is in the
// outcome and no error. The error says why nothing, or not everything, could be
// asked; what was answered nevertheless has been handed over.
func (c Client) Call(ctx context.Context, call Call, each func(Reply)) (Outcome, error) {
	timeout := call.Timeout
	if timeout <= 0 {
		timeout = defaultCallTimeout
	}
	if call.Collective == "" {
		call.Collective = DefaultCollective
	}
	asked, err := call.asked()
	if err != nil {
		return Outcome{}, fmt.Errorf("calling %s.%s: %w", call.Agent, call.Action, err)
	}
	data, err := json.Marshal(call.Data)
	if err != nil {
		return Outcome{}, fmt.Errorf("calling %s.%s: the arguments can not be sent: %w", call.Agent, call.Action, err)
	}
	began := time.Now()
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	r := &round{
		client: c, call: call, data: data, asked: asked, waiting: maps.Clone(asked),
		ttl: min(max(timeout, shortestTTL), wire.MaxTTL),
		id:  wire.NewRequestID(), replyTo: c.Connector.Reply(call.Collective),
		incoming: make(chan received, 64),
	}
	cancelSubscription, err := c.Bus.Subscribe(ctx, bus.Subscription{Destination: r.replyTo}, r.receive)
	if err != nil {
		return Outcome{}, fmt.Errorf("calling %s.%s: listening for replies: %w", call.Agent, call.Action, err)
	}
	defer cancelSubscription()

	published := r.publish(ctx)
	err = r.gather(ctx, began, published, each)
	r.outcome.Took = time.Since(began)
	for _, node := range r.waiting {
		r.outcome.Silent = append(r.outcome.Silent, node)
	}
	slices.Sort(r.outcome.Silent)
	if err == nil && caller.Err() != nil {
		err = context.Cause(caller)
	}
	if err != nil {
		err = fmt.Errorf("calling %s.%s: %w", call.Agent, call.Action, err)
	}
	return r.outcome, err
}

// asked are the nodes to ask, by lower-case identity. Names that would make
// another destination of the one they are put into are refused.
func (c Call) asked() (map[string]string, error) {
	if _, err := checkedCollectives([]string{c.Collective}); err != nil {
		return nil, err
	}
	nodes := map[string]string{}
	for _, node := range c.Nodes {
		id, err := registry.ParseIdentity(node)
		if err != nil {
			return nil, err
		}
		if nodes[id.Key()] == "" {
			nodes[id.Key()] = node
		}
	}
	return nodes, nil
}

// round is one Call under way.
type round struct {
	client   Client
	call     Call
	data     json.RawMessage
	ttl      time.Duration
	id       string
	replyTo  string
	asked    map[string]string // by lower-case identity
	waiting  map[string]string // who of them has not answered
	incoming chan received
	outcome  Outcome
}

// received is a reply whose seal was looked at.
type received struct {
	opened wire.Opened
	err    error
}

// receive opens what comes to the reply destination.
func (r *round) receive(ctx context.Context, d bus.Delivery) {
	opened, err := r.client.Opener.Open(d.Body)
	select {
	case r.incoming <- received{opened, err}:
	case <-ctx.Done():
	}
}

// publish sends every node a request of its own, since a request names whom it
// is for: one that was overheard can not be given to another node. What goes
// wrong first ends the publishing, and is what the channel gets; it is closed
// when there is no more to send.
func (r *round) publish(ctx context.Context) <-chan error {
	ctx, stop := context.WithCancelCause(ctx)
	nodes := make(chan string)
	var workers sync.WaitGroup
	for range min(publishers, len(r.waiting)) {
		workers.Go(func() {
			for node := range nodes {
				if err := r.ask(ctx, node); err != nil {
					stop(fmt.Errorf("asking %s: %w", node, err))
				}
			}
		})
	}
	list := slices.Sorted(maps.Values(r.waiting)) // now, as gather takes away
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		defer stop(nil)
		for _, node := range list {
			select {
			case nodes <- node:
			case <-ctx.Done():
			}
		}
		close(nodes)
		workers.Wait()
		if ctx.Err() != nil {
			failed <- context.Cause(ctx)
		}
	}()
	return failed
}

func (r *round) ask(ctx context.Context, node string) error {
	body, err := json.Marshal(requestBody{Agent: r.call.Agent, Action: r.call.Action, Node: node, Data: r.data})
	if err != nil {
		return err
	}
	sent := clock(r.client.Now)()
	sealed, err := r.client.Sealer.Seal(wire.Message{
		Kind: wire.Request, Agent: r.call.Agent, Collective: r.call.Collective, RequestID: r.id,
		Sent: sent, TTL: r.ttl, ReplyTo: r.replyTo, Body: body,
	})
	if err != nil {
		return err
	}
	connector := r.client.Connector
	destination, headers := connector.Directed(r.call.Collective, node)
	return r.client.Bus.Publish(ctx, bus.Message{
		Destination: destination, ReplyTo: r.replyTo, Headers: connector.Headers(r.ttl, sent, headers), Body: sealed,
	})
}

// gather takes replies until all have come, the time is over, or the requests
// can not be sent.
func (r *round) gather(ctx context.Context, began time.Time, published <-chan error, each func(Reply)) error {
	for len(r.waiting) > 0 {
		select {
		case err, more := <-published:
			if more {
				return err
			}
			published = nil // all were asked
		case in := <-r.incoming:
			if reply, ok := r.accept(in); ok {
				reply.Took = time.Since(began)
				each(reply)
			}
		case <-ctx.Done():
			if published != nil {
				return <-published // its owner waits for it
			}
			return nil
		}
	}
	if published != nil {
		for range published { // all have answered, whatever went wrong meanwhile
		}
	}
	return nil
}

// accept believes a reply only if the node that was asked sealed it, for this
// call, and the first time.
func (r *round) accept(in received) (Reply, bool) {
	if in.err != nil {
		refusal, _ := errors.AsType[*wire.Refusal](in.err)
		if refusal == nil {
			refusal = &wire.Refusal{Detail: in.err.Error()}
		}
		r.unproven(refusal.Sender, fmt.Sprintf("%s: %s", refusal.Reason, refusal.Detail))
		return Reply{}, false
	}
	m := in.opened
	name := m.Proof.Name
	key := strings.ToLower(name)
	node, expected := r.waiting[key]
	switch {
	case m.Kind != wire.Reply:
		r.unproven(name, fmt.Sprintf("sent a %s where a reply was expected", m.Kind))
		return Reply{}, false
	case m.RequestID != r.id:
		r.unproven(name, "answers another request")
		return Reply{}, false
	case !expected:
		if r.asked[key] == "" {
			r.unproven(name, "was not asked")
		}
		return Reply{}, false
	}
	var body replyBody
	if err := json.Unmarshal(m.Body, &body); err != nil {
		r.unproven(name, "its reply can not be read")
		return Reply{}, false
	}
	delete(r.waiting, key)
	r.outcome.Replies++
	if body.Status != OK {
		r.outcome.Failed++
	}
	return Reply{Sender: node, Status: body.Status, Message: body.Message, Data: body.Data}, true
}

func (r *round) unproven(sender, reason string) {
	if len(r.outcome.Unproven) < maxUnproven {
		r.outcome.Unproven = append(r.outcome.Unproven, Unproven{Sender: sender, Reason: reason})
	}
}
