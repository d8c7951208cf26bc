package registry

import (
	"fmt"
	"strings"
)

// admit says whether a section may follow the one that a source said before,
// or why not.
func (l *Lifecycle) admit(node *Node, old, next *Section, h *heard) error {
	if old == nil {
		return nil
	}
	if proof(next.Auth) < proof(old.Auth) && h.age(old.Received) < l.rule(node.Collectives).ExpireAfter {
		return &Refusal{
			Identity: string(node.Identity), Reason: ReasonProof,
			Detail: fmt.Sprintf("it is proven by %s, and what is known of the node by %s", orDefault(next.Auth, "nothing"), old.Auth),
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

// older reports whether next was said before old. The very same message again
// is not older: its sender missed the receipt.
func older(old, next *Section) (late bool, by string) {
	if next.Sequence != 0 && old.Sequence != 0 {
		again := next.Sequence == old.Sequence && next.Hash == old.Hash
		return next.Sequence <= old.Sequence && !again, fmt.Sprintf(": sequence %d after %d", next.Sequence, old.Sequence)
	}
	if next.Sent.IsZero() || old.Sent.IsZero() {
		return false, ""
	}
	return next.Sent.Before(old.Sent), fmt.Sprintf(": sent %v earlier", old.Sent.Sub(next.Sent))
}
