package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"muster/internal/bus"
	"muster/internal/wire"
)

const (
	defaultActionTimeout = 10 * time.Second
	maxWaitingRequests   = 64 // more are dropped, and their askers see silence
	requestWorkers       = 8
)

// requestCounts are what rpcutil's daemon_stats tells.
type requestCounts struct {
	total, validated, unvalidated, passed, filtered, expired, replies int
}

func (d *daemon) count(f func(*requestCounts)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.requests)
}

// job is a request that may be carried out.
type job struct {
	message wire.Opened
	refused *Failure // if it is to be answered and nothing else
}

// serve listens in every collective, for what is sent to this node and for what
// is sent to all that have an agent, and starts the workers.
func (d *daemon) serve(ctx context.Context) error {
	for range requestWorkers {
		d.workers.Go(func() {
			for {
				select {
				case j := <-d.jobs:
					d.work(ctx, j)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	for _, collective := range d.Collectives {
		inbox, selector := d.Connector.Inbox(collective, d.name)
		subscriptions := []bus.Subscription{{Destination: inbox, Selector: selector}}
		for _, agent := range d.agentNames() {
			subscriptions = append(subscriptions, bus.Subscription{Destination: d.Connector.Broadcast(collective, agent)})
		}
		for _, s := range subscriptions {
			if err := d.listen(ctx, s, d.request); err != nil {
				return fmt.Errorf("listening for requests to %s: %w", d.name, err)
			}
		}
	}
	return nil
}

// request opens what came and hands it to the workers.
func (d *daemon) request(_ context.Context, delivery bus.Delivery) {
	d.count(func(c *requestCounts) { c.total++ })
	opened, err := d.Opener.Open(delivery.Body)
	if err != nil {
		refusal, _ := errors.AsType[*wire.Refusal](err)
		d.count(func(c *requestCounts) {
			c.unvalidated++
			if refusal != nil && refusal.Reason == wire.Expired {
				c.expired++
			}
		})
		d.Log.Warn("a request was refused", "error", err)
		return
	}
	if opened.Kind != wire.Request {
		d.count(func(c *requestCounts) { c.unvalidated++ })
		d.Log.Warn("something that is no request came to the inbox", "kind", opened.Kind, "from", opened.Proof.Name)
		return
	}
	d.count(func(c *requestCounts) { c.validated++ })
	j := job{message: opened}
	switch {
	case !slices.Contains(d.Collectives, opened.Collective):
		d.count(func(c *requestCounts) { c.filtered++ })
		return
	case !allowed(opened.Proof, "operator", d.Callers):
		j.refused = failf(UnknownError, "%s may not call agents on %s: its certificate says %s, not operator", opened.Proof.Name, d.name, opened.Proof.Role)
	}
	select {
	case d.jobs <- j:
	default:
		d.Log.Warn("too many requests wait; one was dropped", "from", opened.Proof.Name, "agent", opened.Agent)
	}
}

// work carries out one request and answers it.
func (d *daemon) work(ctx context.Context, j job) {
	m := j.message
	log := d.Log.With("caller", m.Caller, "agent", m.Agent, "request", m.RequestID)
	data, action, err := d.dispatch(ctx, j)
	if errors.Is(err, errNotForUs) {
		d.count(func(c *requestCounts) { c.filtered++ })
		return
	}
	reply := replyOf(data, err)
	log.Info("a request was answered", "action", action, "status", int(reply.Status), "message", reply.Message)
	if !answerable(m.ReplyTo) {
		if m.ReplyTo != "" {
			log.Warn("the reply is not sent: not a destination for replies", "destination", m.ReplyTo)
		}
		return
	}
	if err := d.answer(ctx, m, reply); err != nil {
		log.Warn("the reply could not be sent", "error", err)
		return
	}
	d.count(func(c *requestCounts) { c.replies++ })
}

// errNotForUs marks a request that names another node.
var errNotForUs = errors.New("for another node")

// dispatch finds the action and runs it within its time, if it may be run.
func (d *daemon) dispatch(ctx context.Context, j job) (data any, action string, err error) {
	m := j.message
	if j.refused != nil {
		return nil, "", j.refused
	}
	var body requestBody
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return nil, "", failf(InvalidData, "the request is not a JSON object with agent, action and data")
	}
	if body.Node != "" && !strings.EqualFold(body.Node, d.name) {
		return nil, body.Action, errNotForUs
	}
	if body.Agent != m.Agent {
		return nil, body.Action, failf(InvalidData, "the message is for agent %q, its body for %q", m.Agent, body.Agent)
	}
	agent, ok := d.agents[body.Agent]
	if !ok {
		return nil, body.Action, failf(UnknownAction, "no agent %q on this node", body.Agent)
	}
	run, ok := agent.Actions[body.Action]
	if !ok {
		return nil, body.Action, failf(UnknownAction, "Unknown action '%s' for agent '%s'", body.Action, body.Agent)
	}
	if data := bytes.TrimSpace(body.Data); bytes.Equal(data, []byte("null")) {
		body.Data = nil
	} else if len(data) > 0 && data[0] != '{' {
		return nil, body.Action, failf(InvalidData, "the data of a request is a JSON object")
	}
	d.count(func(c *requestCounts) { c.passed++ })
	ctx, cancel := context.WithTimeoutCause(ctx, agent.Timeout, fmt.Errorf("%s.%s did not end within %v", body.Agent, body.Action, agent.Timeout))
	defer cancel()
	data, err = d.guarded(ctx, run, Request{Caller: m.Caller, Data: body.Data, log: d.Log})
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = context.Cause(ctx)
	}
	return data, body.Action, err
}

// guarded turns a panic in an action into an error: one broken action must not
// end the daemon.
func (d *daemon) guarded(ctx context.Context, run Action, r Request) (data any, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.Error("an action panicked", "panic", p, "stack", string(debug.Stack()))
			err = failf(UnknownError, "the action is broken: %v", p)
		}
	}()
	return run(ctx, r)
}

func replyOf(data any, err error) replyBody {
	r := replyBody{Status: OK, Message: "OK"}
	if f, ok := errors.AsType[*Failure](err); ok {
		r.Status, r.Message, data = f.Status, f.Message, f.Data
	} else if err != nil {
		r.Status, r.Message, data = UnknownError, err.Error(), nil
	}
	if data == nil {
		data = struct{}{}
	}
	text, err := json.Marshal(data)
	if err != nil {
		return replyBody{Status: UnknownError, Message: "the action's data can not be sent: " + err.Error(), Data: json.RawMessage("{}")}
	}
	r.Data = text
	return r
}

// answer seals a reply and sends it to where the request says. A reply too
// large to be sent is replaced by one that says so.
func (d *daemon) answer(ctx context.Context, to wire.Opened, reply replyBody) error {
	m := wire.Message{
		Kind: wire.Reply, Agent: to.Agent, Collective: to.Collective,
		RequestID: to.RequestID, Sent: d.Now(), TTL: to.TTL,
	}
	sealed, err := d.sealReply(m, reply)
	if err != nil {
		sealed, err = d.sealReply(m, replyBody{Status: UnknownError, Message: err.Error(), Data: json.RawMessage("{}")})
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, max(to.TTL, time.Second))
	defer cancel()
	return d.Bus.Publish(ctx, bus.Message{Destination: to.ReplyTo, Headers: d.Connector.Headers(to.TTL, d.Now(), nil), Body: sealed})
}

func (d *daemon) sealReply(m wire.Message, reply replyBody) ([]byte, error) {
	body, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	m.Body = body
	return d.Sealer.Seal(m)
}
