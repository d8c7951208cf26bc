// Package agent is the node's side of muster and what talks with it: the
// daemon that registers a node and answers requests, the RPC agents it
// offers, the registry's receiver, and the client that calls nodes.
//
// On a node:
//
//	d := agent.Daemon{
//		Bus: client, Sealer: sealer, Opener: opener, Counter: counter,
//		Collect:  agent.Collector{}.Collect,
//		Agents:   []agent.Agent{agent.NRPE{}.Agent()},
//		Interval: 5 * time.Minute,
//	}
//	err := d.Run(ctx) // until ctx is done
//
// Beside the registry:
//
//	r := agent.Receiver{Bus: client, Sealer: sealer, Opener: opener, Registry: reg}
//	err := r.Run(ctx)
//
// Where an operator asks:
//
//	c := agent.Client{Bus: client, Sealer: sealer, Opener: opener}
//	outcome, err := c.Call(ctx, agent.Call{Agent: "rpcutil", Action: "ping", Nodes: nodes}, func(r agent.Reply) { ... })
//
// A registration counts once the registry's sealed receipt for it is there;
// until then the daemon sends again. Nothing that a message says ever reaches
// a shell.
package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"muster/internal/bus"
)

// Bus carries messages; [bus.Client] is one.
type Bus interface {
	// Publish returns when the broker has the message; it waits for a
	// connection until ctx is done.
	Publish(ctx context.Context, m bus.Message) error

	// Subscribe hands each message to handle, one after the other, until
	// cancel is called. It survives the loss of a connection.
	Subscribe(ctx context.Context, s bus.Subscription, handle func(context.Context, bus.Delivery)) (cancel func(), err error)
}

// DefaultCollective is where a node is that names none.
const DefaultCollective = "mcollective"

// Agent is something that can be called on a node by name.
type Agent struct {
	Name        string // lower-case letters, digits and _
	Description string
	Version     string
	Timeout     time.Duration // of one action; 0 means 10 seconds
	Actions     map[string]Action
}

// Action does one thing and returns what becomes the reply's data: anything
// that marshals to a JSON object, or nil for none. It must end soon after ctx
// is done. Of its errors a [*Failure] chooses the status; any other is status 5.
type Action func(ctx context.Context, r Request) (any, error)

// Request is what an action is asked.
type Request struct {
	Caller string          // proven: "cert=NAME"
	Data   json.RawMessage // a JSON object; may be empty

	log *slog.Logger // the daemon's; nil means slog.Default()
}

// Status is how a call went, in the ancestor's numbers.
type Status int

// The statuses there are.
const (
	OK            Status = 0
	Aborted       Status = 1 // the action said that it failed
	UnknownAction Status = 2 // no such agent or action
	MissingData   Status = 3
	InvalidData   Status = 4
	UnknownError  Status = 5 // anything else, such as a caller who may not call
)

// Failure is an error with a status, and with data if there are any to show
// nevertheless.
type Failure struct {
	Status  Status
	Message string
	Data    any
}

func (f *Failure) Error() string { return f.Message }

func failf(status Status, format string, args ...any) *Failure {
	return &Failure{Status: status, Message: fmt.Sprintf(format, args...)}
}

// requestBody and replyBody are the JSON bodies of requests and replies.
type (
	requestBody struct {
		Agent  string          `json:"agent"`
		Action string          `json:"action"`
		Node   string          `json:"node,omitempty"` // whom it is for; empty: all who get it
		Data   json.RawMessage `json:"data,omitempty"`
	}
	replyBody struct {
		Status  Status          `json:"statuscode"`
		Message string          `json:"statusmsg"`
		Data    json.RawMessage `json:"data"`
	}
)

// receiptBody is the JSON body of a receipt; Next is in seconds.
type receiptBody struct {
	Accepted bool     `json:"accepted"`
	Warnings []string `json:"warnings,omitempty"`
	Next     int64    `json:"next,omitempty"`
	Renew    bool     `json:"renew,omitempty"` // the certificate, which an authority gave that is to end
	Reason   string   `json:"reason,omitempty"`
	Detail   string   `json:"detail,omitempty"`
}

var replyDestination = regexp.MustCompile(`^/topic/[A-Za-z0-9_-]+\.muster\.reply\.[0-9a-f]{32}$`)

// answerable reports whether a reply may be sent there. A message must not be
// able to make us publish to just any destination, such as the registrations'.
func answerable(destination string) bool { return replyDestination.MatchString(destination) }

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

func clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

var collectiveName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// checkedCollectives fills in the default, and refuses names that would make
// another destination of the one they are put into.
func checkedCollectives(list []string) ([]string, error) {
	if len(list) == 0 {
		return []string{DefaultCollective}, nil
	}
	for _, name := range list {
		if len(name) > 100 || !collectiveName.MatchString(name) {
			return nil, fmt.Errorf("%.60q can not be a collective: want letters, digits, _ and -", name)
		}
	}
	return list, nil
}
