package wire

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Connector is a broker's way of naming destinations. The ancestor's nodes
// use the same names, so both kinds can share a broker. Empty is [RabbitMQ],
// which is also what the embedded broker speaks.
//
// Collectives, agents and identities are put into destinations as they are:
// they must have been checked before.
type Connector string

// The connectors there are.
const (
	RabbitMQ Connector = "rabbitmq"
	ActiveMQ Connector = "activemq"
)

// ParseConnector reads a connector as configurations name it.
func ParseConnector(text string) (Connector, error) {
	if text == "" {
		return RabbitMQ, nil
	}
	if c := Connector(text); slices.Contains([]Connector{RabbitMQ, ActiveMQ}, c) {
		return c, nil
	}
	return "", fmt.Errorf("there is no connector %q; there are rabbitmq and activemq", text)
}

// Broadcast is where a message to every node of a collective that has an
// agent goes, and what these nodes subscribe to. The agent of registrations
// is "registration".
func (c Connector) Broadcast(collective, agent string) string {
	if c == ActiveMQ {
		return "/topic/" + collective + "." + agent + ".agent"
	}
	return "/exchange/" + collective + "_broadcast/" + agent
}

// Directed is where a message to one node goes, and the headers it needs to
// get there; nil: none.
func (c Connector) Directed(collective, identity string) (destination string, headers map[string]string) {
	if c == ActiveMQ {
		return "/queue/" + collective + ".nodes", map[string]string{"mc_identity": identity}
	}
	return "/exchange/" + collective + "_directed/" + identity, nil
}

// Inbox is what a node subscribes to for messages directed to it. An empty
// selector selects all.
func (c Connector) Inbox(collective, identity string) (destination, selector string) {
	destination, headers := c.Directed(collective, identity)
	if of := headers["mc_identity"]; of != "" {
		selector = "mc_identity = '" + strings.ReplaceAll(of, "'", "''") + "'"
	}
	return destination, selector
}

// Reply is a new destination for the answers to one sender, which nobody can
// guess. Every broker has it; it needs no setting up.
func (c Connector) Reply(collective string) string {
	return "/topic/" + collective + ".muster.reply." + NewRequestID()
}

// grace is how long after its ttl a broker may still deliver a message.
const grace = 10 * time.Second

// Headers are the STOMP headers that let a broker drop a message that nobody
// waits for any more, and others (from Directed, say) besides. A ttl of 0
// means that the message is never dropped.
func (c Connector) Headers(ttl time.Duration, now time.Time, others map[string]string) map[string]string {
	headers := maps.Clone(others)
	if headers == nil {
		headers = make(map[string]string)
	}
	if ttl <= 0 {
		return headers
	}
	if c == ActiveMQ {
		headers["timestamp"] = strconv.FormatInt(now.UnixMilli(), 10)
		headers["expires"] = strconv.FormatInt(now.Add(ttl+grace).UnixMilli(), 10)
	} else {
		headers["expiration"] = strconv.FormatInt((ttl + grace).Milliseconds(), 10)
	}
	return headers
}
