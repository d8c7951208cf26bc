package bus

import "strings"

// Role is what somebody who logged in may do.
type Role int

// The roles there are. The zero Role may do nothing.
const (
	_            Role = iota
	RoleNode          // muster's own daemon on one node, known by name
	RoleLegacy        // MCollective's daemons, which share one login
	RoleClient        // who sends requests and reads the answers
	RoleRegistry      // the registry: everything
)

func (r Role) String() string {
	if r < RoleNode || r > RoleRegistry {
		return "nobody"
	}
	return [...]string{"node", "legacy", "client", "registry"}[r-1]
}

// Principal is who logged in.
type Principal struct {
	Role Role
	Name string // a node's identity; for the others a name for the log
}

// places is a set of kinds of destination.
type places uint16

const (
	ownInbox     places = 1 << iota // directed to the principal's own name
	otherInbox                      // directed to another node
	agents                          // requests to all nodes that have an agent
	registration                    // where registrations go
	everything                      // agents_multiplex: requests and registrations in one place
	nodesQueue                      // ActiveMQ's shared inbox, with a selector
	replies                         // where answers go, one unguessable name for each asker
	oldReplies                      // the same under MCollective's names, which can be guessed
	replyQueue                      // the queue behind another client's reply-to
	elsewhere                       // any other destination, and every pattern
)

// maySend and maySubscribe are the table of rights.

func maySend(r Role) places {
	switch r {
	case RoleNode:
		return registration | replies | oldReplies | replyQueue
	case RoleLegacy:
		return registration | everything | replies | oldReplies | replyQueue
	case RoleClient:
		return ownInbox | otherInbox | agents | everything | nodesQueue
	case RoleRegistry:
		return ^places(0)
	}
	return 0
}

func maySubscribe(r Role) places {
	switch r {
	case RoleNode:
		return ownInbox | agents | replies
	case RoleLegacy:
		return ownInbox | otherInbox | agents | everything | nodesQueue
	case RoleClient:
		return replies | oldReplies
	case RoleRegistry:
		return ^(replyQueue)
	}
	return 0
}

// placeOf says what d is to p. Names are those of both connectors; C is any
// collective:
//
//	/exchange/C_directed/NODE    /queue/C.nodes
//	/exchange/C_broadcast/AGENT  /topic/C.AGENT.agent
//	/exchange/C_broadcast        /topic/C.agents
//	/topic/C.muster.reply.X      /queue/C.reply.X  /exchange/mcollective_reply/X
func placeOf(p Principal, d destination) places {
	if strings.ContainsAny(d.key, "*#") {
		return elsewhere
	}
	switch d.kind {
	case private:
		return replyQueue
	case toOne:
		return placeOfQueue(d.key)
	case toEach:
	}
	if d.group == "/topic" {
		return placeOfTopic(d.key)
	}
	exchange := strings.TrimPrefix(d.group, exchangePrefix)
	switch {
	case exchange == "mcollective_reply" && d.key != "":
		return oldReplies
	case strings.HasSuffix(exchange, "_directed") && d.key != "":
		if p.Name != "" && strings.EqualFold(p.Name, d.key) {
			return ownInbox
		}
		return otherInbox
	case strings.HasSuffix(exchange, "_broadcast"):
		return placeOfAgent(d.key)
	}
	return elsewhere
}

func placeOfAgent(agent string) places {
	switch agent {
	case "":
		return everything
	case "registration":
		return registration
	}
	return agents
}

func placeOfQueue(name string) places {
	// Collectives have no dots.
	_, rest, _ := strings.Cut(name, ".")
	if rest == "nodes" {
		return nodesQueue
	}
	if key, ok := strings.CutPrefix(rest, "reply."); ok && key != "" {
		return oldReplies
	}
	return elsewhere
}

func placeOfTopic(name string) places {
	_, rest, _ := strings.Cut(name, ".")
	if key, ok := strings.CutPrefix(rest, "muster.reply."); ok && key != "" {
		return replies
	}
	if rest == "agents" {
		return everything
	}
	if agent, ok := strings.CutSuffix(rest, ".agent"); ok && agent != "" {
		return placeOfAgent(agent)
	}
	return elsewhere
}
