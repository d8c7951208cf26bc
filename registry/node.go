package registry

import (
	"time"

	"muster/internal/pack"
	"muster/query"
)

// Node is what is known of one machine. A Node is a value: nothing reachable
// from one that was handed out is ever changed, by anyone.
type Node struct {
	Identity  Identity
	FirstSeen time.Time // when the registry first heard of it, by its own clock
	LastSeen  time.Time // when it last did, from any source; zero: never

	// Sections are what each source says, as last accepted.
	Sections map[Source]*Section

	// The following are merged from the sections, see NewNode.

	Facts       map[string]any
	Trusted     map[string]any // "trusted.*": what the certificate or an operator says
	Classes     []string       // sorted, in the sender's spelling
	Agents      []string       // sorted
	Collectives []string       // sorted, never empty
	Auth        string         // how the identity was proven, in the section that speaks for the node
	Interval    time.Duration  // between registrations; zero: not told
	Learnt      time.Duration  // what Interval seems to be where it was not told; zero: not known yet
	Warnings    []string       // what was left out, and what looks odd
	Deactivated *Deactivation  // nil: it is not
	RenamedTo   string         // the identity under which the same machine registers now; empty: none known

	// State is the node's state at the time of the answer that the node is
	// part of. Empty in a node that did not come from a Registry.
	State State

	packed []byte       // the record of these sections, packed; nil: not yet
	packer *pack.Packer // by whom
}

// Section is what one source says about a node.
type Section struct {
	Facts       map[string]any
	Classes     []string
	Agents      []string
	Collectives []string
	Interval    time.Duration
	Auth        string // as Registration.Auth
	Sequence    uint64
	Sent        time.Time // the sender's clock; zero: not told
	Received    time.Time // the registry's clock, to the millisecond
	Changed     time.Time // when the content last changed, by the registry's clock
	Hash        string    // of the content: facts but volatile ones, classes, agents, collectives, interval
	Warnings    []string

	// Learnt is the time that mostly passes between registrations of a source
	// that does not tell; zero: not known yet.
	Learnt time.Duration

	stable   uint64        // a fingerprint of all but the volatile facts; 0: not known, as after a restart
	moving   uint64        // a fingerprint of the volatile facts
	order    []string      // names of facts as they stood in that body; not kept
	verbatim string        // all facts as JSON, where Facts has only some; empty: it has all
	unread   *cursor       // all facts, of which only some were read; nil: all were; not kept
	outline  *outline      // of the body that this was decoded from; nil: not known
	digest   uint64        // a fingerprint of the body that this was decoded from; 0: not known
	guess    time.Duration // what Learnt will be
	gaps     int           // how many times between registrations guess is made of
}

// Document is the node as a query sees it. It shares the node's maps and slices.
func (n *Node) Document() *query.Document {
	doc := &query.Document{}
	n.fill(doc, n.State)
	return doc
}

func (n *Node) fill(doc *query.Document, state State) {
	*doc = query.Document{
		Identity:    string(n.Identity),
		Facts:       n.Facts,
		Trusted:     n.Trusted,
		Classes:     n.Classes,
		Agents:      n.Agents,
		Collectives: n.Collectives,
		State:       string(state),
		Auth:        n.Auth,
		Seen:        n.LastSeen,
	}
}
