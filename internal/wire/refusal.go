package wire

import "fmt"

// Reason is why a message was refused: one stable word, fit for a metric's
// label and for an operator's list.
type Reason string

// The reasons there are, in the order in which they are looked for.
const (
	TooLarge    Reason = "too_large"    // more bytes than Opener.MaxBytes
	BadSeal     Reason = "bad_seal"     // not a JWS of ours, or the signature does not fit
	Untrusted   Reason = "untrusted"    // the certificate leads to no root, or is not valid now
	Revoked     Reason = "revoked"      // the certificate was taken back
	Malformed   Reason = "malformed"    // sealed well, but the content can not be read
	WrongSender Reason = "wrong_sender" // sender or caller is not the certificate's name
	Unexpected  Reason = "unexpected"   // a kind that Opener.Expect does not name
	Future      Reason = "future"       // a request from more than MaxSkew ahead
	Expired     Reason = "expired"      // older than its ttl
	Replayed    Reason = "replayed"     // a request that was opened before
)

// Refusal says why a message was not opened.
type Refusal struct {
	Reason Reason
	Detail string // for people, without punctuation at the end

	// Sender is whom the message comes from: the name in the certificate,
	// which is proven from WrongSender on and only claimed before.
	// Empty where none could be read.
	Sender string
}

func (r *Refusal) Error() string {
	if r.Sender == "" {
		return fmt.Sprintf("message refused: %s: %s", r.Reason, r.Detail)
	}
	return fmt.Sprintf("message from %s refused: %s: %s", r.Sender, r.Reason, r.Detail)
}

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
