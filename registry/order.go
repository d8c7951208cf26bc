package registry

import (
	"fmt"
	"strings"
	"time"
)

// admit says whether a section may follow the one that a source said before,
// or why not.
func (l *Lifecycle) admit(node *Head, old *part, next *Section, h *heard) error {
	if old == nil {
		return nil
	}
	if proof(next.Auth) < proof(old.auth) && h.age(old.received) < l.rule(node.Collectives).ExpireAfter {
		return &Refusal{
			Identity: string(node.Identity), Reason: ReasonProof,
			Detail: fmt.Sprintf("it is proven by %s, and what is known of the node by %s", orDefault(next.Auth, "nothing"), old.auth),
		}
	}
	if late, by := older(old, next); late {
		return &Refusal{Identity: string(node.Identity), Reason: ReasonOlder, Detail: "it is older than what is known of the node" + by}
	}
	return nil
}

// proof ranks how an identity was proven; more is better.
func proof(auth string) int {
	kind, _, _ := strings.Cut(auth, " ")
	switch kind {
	case "cert":
		return 4
	case "forwarder":
		return 3
	case "token":
		return 2
	case "psk":
		return 1
	}
	return 0
}

// maxAhead is how far ahead of the registry's clock a registration may place
// itself in the order. One further ahead would shut out all that follow it.
const maxAhead = 24 * time.Hour

// keepInReach orders a section that lies implausibly far ahead by the
// registry's clock, and says so.
func (s *Section) keepInReach(now time.Time) []string {
	if s.Sent.After(now.Add(maxAhead)) {
		s.Sent = stamp(now) // skewWarning tells of it
	}
	sequence := inReach(s.Sequence, now)
	if sequence == s.Sequence {
		return nil
	}
	s.Sequence = sequence
	return []string{"the sequence of its registrations is more than a day ahead: they are ordered by the registry's clock"}
}

// inReach is a sequence, nanoseconds since 1970, or the registry's clock where
// that lies implausibly far ahead of it.
func inReach(sequence uint64, now time.Time) uint64 {
	clock := uint64(max(now.UnixNano(), 1))
	if sequence > clock+uint64(maxAhead) {
		return clock
	}
	return sequence
}

// older reports whether next was said before old. The very same message again
// is not older: its sender missed the receipt.
func older(old *part, next *Section) (late bool, by string) {
	if next.Sequence != 0 && old.sequence != 0 {
		known := inReach(old.sequence, old.received) // a store may hold what is from before this rule
		again := next.Sequence == known && next.Hash == old.hash
		return next.Sequence <= known && !again, fmt.Sprintf(": sequence %d after %d", next.Sequence, known)
	}
	if next.Sent.IsZero() || old.sent.IsZero() {
		return false, ""
	}
	return next.Sent.Before(old.sent), fmt.Sprintf(": sent %v earlier", old.sent.Sub(next.Sent))
}
