package wire

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// MaxSkew is how far ahead of the receiver's clock a request may have been
// sent, and how large a difference of clocks is worth a warning.
const MaxSkew = 5 * time.Minute

// Opener opens sealed messages. The zero Opener trusts nobody.
// It may be used by several goroutines at once, and must not be copied.
type Opener struct {
	// Roots returns the CAs that are trusted. Returning other ones than the
	// last time makes every chain be verified again.
	Roots func() *x509.CertPool

	// Revoked reports whether a certificate was taken back. It is asked for
	// each certificate of a chain, at every message. Nil means none was.
	Revoked func(*x509.Certificate) bool

	Now       func() time.Time // nil means time.Now
	Expect    []Kind           // other kinds are refused; empty means all are wanted
	MaxBytes  int              // of a sealed message; 0 means DefaultMaxBytes
	MaxChains int              // verified chains to remember; 0 means DefaultMaxChains

	chains   chains
	requests requests
}

// Open checks a sealed message and returns what it says. An error is a
// [*Refusal].
//
// The checks, in order: size; form of the seal; the certificate and its chain
// (what the header names is verified once and then remembered); revocation;
// signature; form of the head; sender and caller against the certificate's
// name; kind; for requests, how far ahead; for requests and replies with a
// ttl, age; for requests, whether it was opened before. The body is only then
// handed out, undecoded, but it is known to be JSON without duplicate keys.
//
// A reply or a receipt is proven to come from Proof.Name. Whether that is who
// was asked, and the RequestID what was asked, is for the caller to compare.
func (o *Opener) Open(sealed []byte) (Opened, error) {
	opened, refusal := o.open(sealed)
	if refusal != nil {
		return Opened{}, refusal
	}
	return opened, nil
}

func (o *Opener) open(sealed []byte) (Opened, *Refusal) {
	if limit := orDefault(o.MaxBytes, DefaultMaxBytes); len(sealed) > limit {
		return Opened{}, refuse(TooLarge, "%d bytes, more than %d", len(sealed), limit)
	}
	if refusal := native(sealed); refusal != nil {
		return Opened{}, refusal
	}
	now := time.Now()
	if o.Now != nil {
		now = o.Now()
	}
	payload, proof, refusal := o.unseal(sealed, now)
	if refusal != nil {
		return Opened{}, refusal
	}
	opened, refusal := o.read(payload, proof, now)
	if refusal != nil {
		refusal.Sender = proof.Name
	}
	return opened, refusal
}

// native tells the codecs apart by the first bytes. The ancestor's two are
// known but not read yet.
func native(sealed []byte) *Refusal {
	switch {
	case bytes.HasPrefix(sealed, []byte{4, 8}), bytes.HasPrefix(sealed, []byte("---")):
		return refuse(BadSeal, "a message of MCollective, which is not read here")
	case bytes.HasPrefix(sealed, []byte("{")):
		return nil
	}
	return refuse(BadSeal, "not a sealed message")
}

// unseal proves who sealed a message, and returns what was sealed.
func (o *Opener) unseal(sealed []byte, now time.Time) ([]byte, Proof, *Refusal) {
	e, err := parseEnvelope(sealed)
	if err != nil {
		return nil, Proof{}, refuse(BadSeal, "%v", err)
	}
	signature, err := decode64(e.signature)
	if err != nil {
		return nil, Proof{}, refuse(BadSeal, "the signature is not base64url")
	}
	var roots *x509.CertPool
	if o.Roots != nil {
		roots = o.Roots()
	}
	c, refusal := o.chains.verify(e.protected, roots, now, orDefault(o.MaxChains, DefaultMaxChains))
	if refusal != nil {
		return nil, Proof{}, refusal
	}
	if o.Revoked != nil && slices.ContainsFunc(c.path, o.Revoked) {
		refusal := refuse(Revoked, "the certificate was revoked")
		refusal.Sender = c.proof.Name
		return nil, Proof{}, refusal
	}
	if !c.alg.verify(c.path[0].PublicKey, e.input(), signature) {
		refusal := refuse(BadSeal, "the signature does not fit the certificate and the content")
		refusal.Sender = c.proof.Name
		return nil, Proof{}, refusal
	}
	payload, err := decode64(e.payload)
	if err != nil {
		return nil, Proof{}, refuse(Malformed, "the payload is not base64url")
	}
	return payload, c.proof, nil
}

// read checks what was sealed against who sealed it and when.
func (o *Opener) read(payload []byte, proof Proof, now time.Time) (Opened, *Refusal) {
	m, err := decodePayload(payload)
	if err != nil {
		return Opened{}, refuse(Malformed, "%v", err)
	}
	if err := speaksFor(proof.Name, m); err != nil {
		return Opened{}, refuse(WrongSender, "%v", err)
	}
	if len(o.Expect) > 0 && !slices.Contains(o.Expect, m.Kind) {
		return Opened{}, refuse(Unexpected, "a %s is not wanted here", m.Kind)
	}
	m.Caller = "cert=" + proof.Name
	skew := m.Sent.Sub(now)
	ends := m.Sent.Add(m.TTL)
	timed := m.Kind == Request || m.Kind == Reply && m.TTL > 0
	switch {
	case m.Kind == Request && skew > MaxSkew:
		return Opened{}, refuse(Future, "sent %s ahead of this machine's clock", skew.Round(time.Second))
	case timed && now.After(ends):
		return Opened{}, refuse(Expired, "sent %s ago by this machine's clock, its ttl is %s", (-skew).Round(time.Second), m.TTL)
	}
	if m.Kind == Request {
		if why := o.requests.admit(proof.Name, m.RequestID, now, ends); why != "" {
			return Opened{}, refuse(Replayed, "%s", why)
		}
	}
	return Opened{Message: m, Proof: proof, Skew: skew}, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
