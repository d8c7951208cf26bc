// Package wire turns messages into sealed bytes and back.
//
// A message is a JWS (RFC 7515, flattened JSON) made with the key of the
// sender's certificate, which travels in its header. It is opened in a fixed
// order: size, seal, sender, expiry, replay; only a message that has passed
// all five hands out its body.
//
//	sealed, err := sealer.Seal(wire.Message{Kind: wire.Registration, Body: body})
//	...
//	opened, err := opener.Open(sealed)
//	opened.Message.Sender // proven by opened.Proof
//
// The package opens no connection and does not know what a body means.
package wire

import (
	"crypto/x509"
	"time"
)

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
	Caller     string // who asks: "cert=NAME", NAME as in the certificate; filled in where it is empty
	Agent      string // the RPC agent it is for; "registration" for registrations
	Collective string
	RequestID  string // as NewRequestID makes it; a reply and a receipt repeat the request's or the registration's

	// Sequence orders the messages of one sender: max(last+1, nanoseconds
	// since 1970), kept on disk by the sender. Zero for replies.
	Sequence uint64

	Sent    time.Time     // the sender's clock
	TTL     time.Duration // whole seconds up to MaxTTL; requests need one, registrations and receipts never expire
	ReplyTo string        // destination for the answer; empty: none is wanted
	Body    []byte        // JSON
}

// Proof is how a sender was proven.
type Proof struct {
	Auth        string // "cert" now; "psk" when the ancestor's messages are opened
	Name        string // the principal: the certificate's name
	Role        string // "node", "operator" or "registry", from the certificate; "node" where it says nothing
	Fingerprint string // SHA-256 of the certificate, lower-case hexadecimal

	Certificate *x509.Certificate // what proves it; nil: no certificate does
}

// Opened is a message whose seal, age and order have been checked.
type Opened struct {
	Message
	Proof Proof

	// Skew is how far the sender's clock is ahead of the receiver's, negative
	// where it is behind or the message took long. Beyond MaxSkew it deserves
	// a warning on the node.
	Skew time.Duration
}
