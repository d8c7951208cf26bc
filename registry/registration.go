package registry

import (
	"slices"
	"time"
)

// Source is who speaks about a node. Each source has a section of its own in
// the node.
type Source string

// The sources there are.
const (
	Daemon      Source = "daemon"  // the muster agent on the node, or an old MCollective daemon
	PuppetFacts Source = "facts"   // facts that a Puppet server forwards
	Catalog     Source = "catalog" // classes of a catalog that a Puppet server compiled
	Report      Source = "report"  // the report of a Puppet run
	Import      Source = "import"  // documents that an operator brought
	Trusted     Source = "trusted" // what the certificate or the operator says; never the node itself
)

// The registry's own sections: each is a mark on a node, and says nothing of it
// besides. Their names are in stores.
const (
	byOperator  Source = "deactivated" // Auth is who says so, Changed when
	reactivated Source = "reactivated" // that this was undone: a neighbour may not know it yet
	renamed     Source = "renamed"     // Auth is the node's new identity
	collision   Source = "collision"   // Warnings say who collides
	retired     Source = "retired"     // Auth is who says so, Sent when; until the node is heard of after that
)

// speaks reports whether a section of this source shows that the node is alive.
func (s Source) speaks() bool { return slices.Contains(precedence[:], s) }

// Registration is what one message says about a node, as it was sent: nothing
// in it has been checked but that it is well-formed.
type Registration struct {
	Identity string
	Source   Source // empty: Daemon

	// Auth is how the identity was proven: "cert", "forwarder NAME",
	// "token NAME" or "psk". Empty: not at all.
	Auth string

	// Sequence orders the registrations of one sender: nanoseconds since 1970,
	// or less. Zero: by Sent. A Sequence or Sent more than a day ahead of the
	// registry's clock is replaced by that, with a warning.
	Sequence uint64

	Sent time.Time // the sender's clock; zero: not told
	Seen time.Time // when the node was last heard of; zero: now. Only for Import.

	// Interval is the time until the node's next registration; zero: not told.
	Interval time.Duration

	// Facts are JSON values: nil, bool, int64, float64, json.Number (a number
	// that neither holds exactly), string, time.Time (a date, to the
	// millisecond, UTC), []any, map[string]any. Whoever calls Register must
	// not change them afterwards.
	Facts       map[string]any
	Classes     []string // configuration-management classes
	Agents      []string // RPC agents that can be called on the node
	Collectives []string // empty: "mcollective"

	// Trusted are trusted facts that the message brings. Register leaves them
	// out, with a warning: they are for [Registry.Trust], from whoever may.
	Trusted map[string]any

	// Warnings are oddities met while decoding, that did not prevent it.
	Warnings []string

	// Body is what the content was decoded from; nil: not known. No more than a
	// fingerprint of it is kept, for [Registry.Repeated].
	Body []byte
}

// Receipt is the answer to a registration that was accepted: it is stored.
type Receipt struct {
	Changed  bool          // false: the node had said the same before
	Warnings []string      // what was left out, and what looks odd
	Next     time.Duration // when the registry wants to hear from the node again

	before Identity // the node that was this machine before it got its name; empty: none known
}
