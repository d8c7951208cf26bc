package registry

import (
	"fmt"
	"time"
)

// The reasons for which this package refuses a registration. Other rooms add
// theirs, such as the seal's.
const (
	ReasonIdentity  = "bad_identity"  // no identity, or not one
	ReasonMalformed = "malformed"     // not the JSON that a registration is
	ReasonDuplicate = "duplicate_key" // one key twice, or in two spellings
	ReasonAgentList = "agent_list"    // a bare list: the old daemon's default registration
	ReasonTooLarge  = "too_large"     // more bytes than a registration may have
	ReasonOlder     = "older"         // older than what is known
	ReasonProof     = "weaker_proof"  // proven worse than what is known
)

// Refusal is a registration that was not accepted. It is an error.
type Refusal struct {
	Identity string    `json:"identity"` // as claimed; may be empty or hostile
	Reason   string    `json:"reason"`   // a stable word, see the Reason constants
	Detail   string    `json:"detail"`   // for a person
	At       time.Time `json:"at"`       // by the registry's clock; zero until recorded
	From     string    `json:"from"`     // who sent it, as far as known: an address, a principal
}

// Error returns the refusal in one line.
func (r *Refusal) Error() string {
	if r.Identity == "" {
		return "registration refused: " + r.Detail
	}
	return fmt.Sprintf("registration of %s refused: %s", quoted(r.Identity), r.Detail)
}
