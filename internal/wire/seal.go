package wire

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
)

// DefaultMaxBytes is the largest sealed message where nothing else is said:
// 2 MiB, which hold a body of 1.5 MiB.
const DefaultMaxBytes = 2 << 20

// sealType is the typ of the JWS header. It keeps what the same key signs for
// another purpose from being a message.
const sealType = "muster.v1"

// Sealer seals the messages of one sender. It may be used by several
// goroutines at once if its key may.
type Sealer struct {
	MaxBytes int // of a sealed message; 0 means DefaultMaxBytes

	key       crypto.Signer
	alg       algorithm
	name      string
	protected []byte
}

// NewSealer returns a Sealer for the holder of key. chain begins with the
// certificate of key; any intermediate certificates follow. A root at its end
// is left out of the messages: who trusts it has it.
func NewSealer(key crypto.Signer, chain []*x509.Certificate) (*Sealer, error) {
	if key == nil || len(chain) == 0 {
		return nil, errors.New("to seal messages a key and its certificate are needed")
	}
	alg, err := algorithmOf(key.Public())
	if err != nil {
		return nil, fmt.Errorf("seal messages: %w", err)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(chain[0].PublicKey) {
		return nil, fmt.Errorf("seal messages: the key does not belong to the certificate of %q", chain[0].Subject.CommonName)
	}
	name, err := nameOf(chain[0])
	if err != nil {
		return nil, fmt.Errorf("seal messages: %w", err)
	}
	return &Sealer{key: key, alg: alg, name: name, protected: encode64(header(alg, chain))}, nil
}

// header writes the protected header; it is the same for every message.
func header(alg algorithm, chain []*x509.Certificate) []byte {
	out := fmt.Appendf(nil, `{"alg":%q,"typ":%q,"x5c":[`, alg, sealType)
	for i, cert := range chain {
		if i > 0 && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			break
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = x5cEncoding.AppendEncode(out, cert.Raw)
		out = append(out, '"')
	}
	return append(out, "]}"...)
}

// Name is the name in the certificate: the sender of everything that is sealed.
func (s *Sealer) Name() string { return s.name }

// Seal turns m into sealed bytes. An empty Sender is filled in; any other
// than [Sealer.Name] is an error, as is everything for which [Opener.Open]
// would refuse the message. A TTL is rounded up to whole seconds.
func (s *Sealer) Seal(m Message) ([]byte, error) {
	if m.Sender == "" {
		m.Sender = s.name
	}
	if err := speaksFor(s.name, m); err != nil {
		return nil, fmt.Errorf("seal a message of %s: %w", s.name, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("seal a message of %s: %w", s.name, err)
	}
	payload, err := encodePayload(m)
	if err != nil {
		return nil, fmt.Errorf("seal a message of %s: %w", s.name, err)
	}
	e := envelope{protected: s.protected, payload: encode64(payload)}
	signature, err := s.alg.sign(s.key, e.input())
	if err != nil {
		return nil, fmt.Errorf("seal a message of %s: sign: %w", s.name, err)
	}
	e.signature = encode64(signature)
	sealed := e.encode()
	if limit := orDefault(s.MaxBytes, DefaultMaxBytes); len(sealed) > limit {
		return nil, fmt.Errorf("seal a message of %s: it has %d bytes, more than the %d that receivers take", s.name, len(sealed), limit)
	}
	return sealed, nil
}

// speaksFor reports an error unless sender and caller of m are both name.
func speaksFor(name string, m Message) error {
	if !sameName(name, m.Sender) {
		return fmt.Errorf("the message says it is from %q, its certificate is of %q", m.Sender, name)
	}
	if m.Caller != "" && !sameName("cert="+name, m.Caller) {
		return fmt.Errorf("the message says %q asks, its certificate is of %q", m.Caller, name)
	}
	return nil
}
