package wire_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/wire"
)

// What is sealed with each kind of key opens, and says the same.
func TestSealedMessagesOpen(t *testing.T) {
	s := newSite(t, "site CA")
	keys := map[string]crypto.Signer{
		"Ed25519": ed25519Key(t), "ECDSA": ecdsaKey(t, elliptic.P256()), "RSA": rsaKey(t),
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			opener := s.opener()
			for _, m := range []wire.Message{
				registration(),
				request(),
				{Kind: wire.Reply, RequestID: wire.NewRequestID(), Sent: noon, Body: []byte(`{"statuscode":0}`)},
				{Kind: wire.Receipt, RequestID: wire.NewRequestID(), Sent: noon},
			} {
				sealer := s.sealer(leaf("web1.acme.net"), key)
				got, err := opener.Open(mustSeal(t, sealer, m))
				if err != nil {
					t.Fatalf("open a %s: %v", m.Kind, err)
				}
				m.Sender, m.Caller = "web1.acme.net", "cert=web1.acme.net"
				if !reflect.DeepEqual(got.Message, m) {
					t.Errorf("got  %+v\nwant %+v", got.Message, m)
				}
				if got.Proof.Name != "web1.acme.net" || got.Proof.Auth != "cert" || got.Proof.Role != "node" || len(got.Proof.Fingerprint) != 64 {
					t.Errorf("got proof %+v", got.Proof)
				}
			}
		})
	}
}

// A body travels byte for byte: no order, space or number in it changes.
func TestBodyIsNotRewritten(t *testing.T) {
	s := newSite(t, "site CA")
	m := registration()
	m.Body = []byte("{\"z\": 1.50,\n \"a\":12345678901234567890, \"<\": \"\\u00e9\\/\"}")
	got, err := s.opener().Open(mustSeal(t, s.node("web1"), m))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Body, m.Body) {
		t.Errorf("got %s, want %s", got.Body, m.Body)
	}
}

func TestSealRefusesWhatNobodyWouldOpen(t *testing.T) {
	s := newSite(t, "site CA")
	sealer := s.node("web1")
	for name, test := range map[string]struct {
		change func(*wire.Message)
		want   string
	}{
		"other sender":   {func(m *wire.Message) { m.Sender = "web2" }, `from "web2"`},
		"other caller":   {func(m *wire.Message) { m.Caller = "cert=web2" }, `"cert=web2" asks`},
		"caller by uid":  {func(m *wire.Message) { m.Caller = "uid=0" }, `"uid=0" asks`},
		"no kind":        {func(m *wire.Message) { m.Kind = "" }, "no kind"},
		"no time":        {func(m *wire.Message) { m.Sent = time.Time{} }, "no time"},
		"no ttl":         {func(m *wire.Message) { m.TTL = 0 }, "needs a ttl"},
		"long ttl":       {func(m *wire.Message) { m.TTL = 2 * time.Hour }, "not between"},
		"no request id":  {func(m *wire.Message) { m.RequestID = "" }, "request id"},
		"no sequence":    {func(m *wire.Message) { m.Kind = wire.Registration }, "sequence"},
		"body":           {func(m *wire.Message) { m.Body = []byte(`{"a":`) }, "not JSON"},
		"duplicate keys": {func(m *wire.Message) { m.Body = []byte(`{"a":{"b":1,"b":2}}`) }, "duplicate keys"},
		"too large":      {func(m *wire.Message) { m.Body = []byte(`"` + strings.Repeat("x", wire.DefaultMaxBytes) + `"`) }, "receivers take"},
	} {
		t.Run(name, func(t *testing.T) {
			m := request()
			test.change(&m)
			_, err := sealer.Seal(m)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestNewSealerWantsItsOwnCertificate(t *testing.T) {
	s := newSite(t, "site CA")
	key, other := ed25519Key(t), ed25519Key(t)
	cert := s.sign(leaf("web1"), s.cert, key.Public(), s.key)
	p384 := ecdsaKey(t, elliptic.P384())
	for name, test := range map[string]struct {
		key   crypto.Signer
		chain []*x509.Certificate
		want  string
	}{
		"no key":      {nil, []*x509.Certificate{cert}, "are needed"},
		"no chain":    {key, nil, "are needed"},
		"other key":   {other, []*x509.Certificate{cert}, "does not belong"},
		"curve":       {p384, []*x509.Certificate{cert}, "P-384"},
		"short RSA":   {newRSAKey(t, 1024), []*x509.Certificate{cert}, "1024 bits"},
		"no name":     {key, []*x509.Certificate{s.sign(leaf(""), s.cert, key.Public(), s.key)}, "neither a CN"},
		"right chain": {key, []*x509.Certificate{cert, s.cert}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sealer, err := wire.NewSealer(test.key, test.chain)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("got error %v, want one with %q", err, test.want)
			case test.want == "" && sealer.Name() != "web1":
				t.Errorf("got name %q", sealer.Name())
			}
		})
	}
}
