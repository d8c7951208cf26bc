package wire_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/internal/wire"
)

// noon is when all of these tests happen.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// site is a CA and a clock.
type site struct {
	tb   testing.TB
	cert *x509.Certificate
	key  crypto.Signer
	now  time.Time
}

func newSite(tb testing.TB, name string) *site {
	tb.Helper()
	s := &site{tb: tb, now: noon}
	s.key = ed25519Key(tb)
	s.cert = s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, s.key.Public(), s.key)
	return s
}

// sign makes a certificate. A nil parent means that it signs itself.
func (s *site) sign(cert, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	s.tb.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		s.tb.Fatal(err)
	}
	cert.SerialNumber = serial
	if cert.NotBefore.IsZero() {
		cert.NotBefore, cert.NotAfter = noon.Add(-time.Hour), noon.Add(24*time.Hour)
	}
	if parent == nil {
		parent = cert
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, by)
	if err != nil {
		s.tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		s.tb.Fatal(err)
	}
	return parsed
}

// leaf is a certificate as Puppet's CA and ours make them.
func leaf(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func withRole(cert *x509.Certificate, value any) *x509.Certificate {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1, 3, 13}
	cert.ExtraExtensions = append(cert.ExtraExtensions, pkix.Extension{Id: oid, Value: der})
	return cert
}

// sealer returns a Sealer with a certificate of this site's CA.
func (s *site) sealer(cert *x509.Certificate, key crypto.Signer) *wire.Sealer {
	s.tb.Helper()
	sealer, err := wire.NewSealer(key, []*x509.Certificate{s.sign(cert, s.cert, key.Public(), s.key)})
	if err != nil {
		s.tb.Fatal(err)
	}
	return sealer
}

// node returns the Sealer of a node with an Ed25519 key.
func (s *site) node(name string) *wire.Sealer {
	s.tb.Helper()
	return s.sealer(leaf(name), ed25519Key(s.tb))
}

// opener returns an Opener that trusts this site's CA and lives by its clock.
func (s *site) opener() *wire.Opener {
	pool := x509.NewCertPool()
	pool.AddCert(s.cert)
	return &wire.Opener{
		Roots: func() *x509.CertPool { return pool },
		Now:   func() time.Time { return s.now },
	}
}

func ed25519Key(tb testing.TB) crypto.Signer {
	tb.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func ecdsaKey(tb testing.TB, curve elliptic.Curve) crypto.Signer {
	tb.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// rsaKey returns one key for all tests: to make one takes long.
func rsaKey(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := oneRSAKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

var oneRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newRSAKey(tb testing.TB, bits int) crypto.Signer {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func request() wire.Message {
	return wire.Message{
		Kind: wire.Request, Agent: "rpcutil", Collective: "mcollective", RequestID: wire.NewRequestID(),
		Sent: noon, TTL: time.Minute, ReplyTo: "/topic/mcollective.muster.reply.1", Body: []byte(`{"action":"ping"}`),
	}
}

func registration() wire.Message {
	return wire.Message{
		Kind: wire.Registration, Agent: "registration", Collective: "mcollective", RequestID: wire.NewRequestID(),
		Sequence: uint64(noon.UnixNano()), Sent: noon, Body: []byte(`{"facts":{"os":"Debian"}}`),
	}
}

func mustSeal(tb testing.TB, s *wire.Sealer, m wire.Message) []byte {
	tb.Helper()
	sealed, err := s.Seal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// wantRefusal fails unless err is a Refusal for that reason whose detail
// holds that text.
func wantRefusal(tb testing.TB, err error, reason wire.Reason, detail string) {
	tb.Helper()
	refusal, ok := errors.AsType[*wire.Refusal](err)
	if !ok {
		tb.Fatalf("got error %v, want a refusal for %s", err, reason)
	}
	if refusal.Reason != reason || !strings.Contains(refusal.Detail, detail) {
		tb.Fatalf("got %s: %s; want %s: …%s…", refusal.Reason, refusal.Detail, reason, detail)
	}
}

// wantSender fails unless err is a Refusal of a message of sender.
func wantSender(tb testing.TB, err error, sender string) {
	tb.Helper()
	if refusal, ok := errors.AsType[*wire.Refusal](err); !ok || refusal.Sender != sender {
		tb.Errorf("got %v; want a refusal of what %q sent", err, sender)
	}
}
