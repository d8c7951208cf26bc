// Package wire turns messages into sealed bytes and back.
//
// A message is opened in a fixed order: size, seal, expiry, replay; only a
// message that has passed all four is decoded.
//
//	sealed, err := sealer.Seal(wire.Message{Kind: wire.Registration, Body: body})
//	...
//	opened, err := opener.Open(sealed)
//	opened.Message.Sender // proven by opened.Proof
//
// The package opens no connection and does not know what a body means.
package wire

import "time"

// Kind is what a message is for. A receiver refuses a kind it did not expect,
// so that a reply can not be replayed as a request.
type Kind string

// The kinds there are.
const (
	Registration Kind = "registration" // node to registry
	Receipt      Kind = "receipt"      // registry to node: the registration is committed, or refused
	Request      Kind = "request"      // client to node
	Reply        Kind = "reply"        // node to client
)

// Message is one message, before it is sealed or after it was opened.
type Message struct {
	Kind       Kind
	Sender     string // identity of the machine that sent it; must be the name in the certificate that seals it
	Caller     string // who asks, for requests: "cert=NAME"; empty means cert=Sender
	Agent      string // the RPC agent it is for; "registration" for registrations
	Collective string
	RequestID  string // 32 hexadecimal digits; a reply and a receipt repeat the request's

	// Sequence orders the messages of one sender: max(last+1, nanoseconds
	// since 1970), kept on disk by the sender. Zero for replies.
	Sequence uint64

	Sent    time.Time     // the sender's clock
	TTL     time.Duration // 0: never expires (registrations and receipts)
	ReplyTo string        // destination for the answer; empty: none is wanted
	Body    []byte        // JSON
}

// Proof is how a sender was proven.
type Proof struct {
	Auth        string // "cert" now; "psk" when the ancestor's messages are opened
	Name        string // the principal: the certificate's name
	Role        string // "node", "operator" or "registry", from the certificate; "node" where it says nothing
	Fingerprint string // SHA-256 of the certificate, lower-case hexadecimal
}

// Opened is a message whose seal, age and order have been checked.
type Opened struct {
	Message
	Proof Proof
}
