package agent_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
	"muster/registry"
)

// hearing is a receiver with a CA that signs what it is asked to.
func (s *site) hearing(reg registrar, ca *hostileCA) *bus.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	c := s.bus("registry")
	receiver := agent.Receiver{
		Bus: c, Sealer: s.sealer("registry.acme.net", pki.RoleRegistry), Registry: reg, Log: quiet(),
		Opener:  &wire.Opener{Roots: func() *x509.CertPool { return roots }, Expect: []wire.Kind{wire.Registration}},
		Workers: 1, // in order
	}
	listening := make(chan struct{})
	receiver.Listening = func() { close(listening) }
	running(s.tb, receiver.Run)
	<-listening
	if err := c.Ready(s.soon()); err != nil {
		s.tb.Fatal(err)
	}
	return c
}

// Whatever a node says of who it is, wherever it says it: only its certificate
// counts, and the record of whom it names does not change by a byte.
func TestThreatT1OverSTOMP(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	reg := memory(t)
	ca := newHostileCA(t)
	c := s.hearing(reg, ca)
	tell := func(sealed []byte) {
		if err := c.Publish(s.soon(), bus.Message{Destination: registrations, Body: sealed, Headers: map[string]string{"mc_sender": "db1.acme.net"}}); err != nil {
			t.Fatal(err)
		}
	}
	sequence := uint64(time.Now().UnixNano())
	record := func(id string) string {
		n, ok := reg.Node(id)
		if !ok {
			return ""
		}
		return string(registry.AppendRecord(nil, &n))
	}
	tell(ca.node("db1.acme.net").says(sequence, "", `{"facts":{"customer":"acme"}}`))
	eventually(t, "the victim", func() bool { return record("db1.acme.net") != "" })
	victim := record("db1.acme.net")
	mallory := ca.node("mallory.acme.net")
	for bits := range 16 {
		lies := func(bit int) bool { return bits>>bit&1 == 1 }
		t.Run(fmt.Sprintf("%04b", bits), func(t *testing.T) {
			before := len(reg.Rejected())
			body, fact := `{"identity":"mallory.acme.net"`, "mallory.acme.net"
			if lies(0) {
				body = `{"identity":"DB1.acme.net"`
			}
			if lies(1) {
				fact = "db1.acme.net" // informative, and no lie about the record's identity
			}
			sequence++
			sealed := mallory.says(sequence, "", fmt.Sprintf(`%s,"facts":{"fqdn":%q,"clientcert":%q,"turn":"%d"}}`, body, fact, fact, bits))
			if lies(2) {
				sealed = mallory.forges(sealed, `"sender":"mallory.acme.net"`, `"sender":"db1.acme.net"`)
			}
			caller := "cert=mallory.acme.net"
			if lies(3) {
				caller = "cert=db1.acme.net"
			}
			sealed = mallory.forges(sealed, `"agent":`, fmt.Sprintf(`"caller":%q,"agent":`, caller))
			tell(sealed)
			refused := lies(0) || lies(2) || lies(3)
			if !refused {
				eventually(t, "mallory's own record", func() bool { return strings.Contains(record("mallory.acme.net"), fmt.Sprintf(`"turn":"%d"`, bits)) })
			} else {
				eventually(t, "the refusal", func() bool { return len(reg.Rejected()) == before+1 })
				last := reg.Rejected()[0]
				both := last.Identity + last.Detail
				if last.Reason != "wrong_sender" || !strings.Contains(both, "mallory.acme.net") || !strings.Contains(strings.ToLower(both), "db1.acme.net") {
					t.Errorf("refused as %+v", last)
				}
			}
			if now := record("db1.acme.net"); now != victim {
				t.Errorf("the victim's record has changed:\n%s\n%s", victim, now)
			}
		})
	}
	if n := reg.Stats().Refused["wrong_sender"]; n != 14 {
		t.Errorf("%d were counted, want 14", n)
	}
}

func puppetExtension(t *testing.T, arc, number int, value string) pkix.Extension {
	t.Helper()
	text, err := asn1.MarshalWithParams(value, "utf8")
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1, arc, number}, Value: text}
}

// Trusted facts are what the certificate says; the node can say what it likes.
func TestThreatT2TrustedFactsComeFromTheCertificate(t *testing.T) {
	s := newSite(t)
	s.startBroker()
	reg := memory(t)
	ca := newHostileCA(t)
	c := s.hearing(reg, ca)
	sequence := uint64(time.Now().UnixNano())
	const lies = `{"turn":%d,"trusted.pp_role":"admin","trusted":{"pp_role":"admin","extensions":{"pp_role":"admin"}}}`
	tell := func(h *hostile, turn int) {
		sequence++
		body := fmt.Sprintf(`{"trusted":{"pp_role":"admin"},"facts":`+lies+`}`, turn)
		if err := c.Publish(s.soon(), bus.Message{Destination: registrations, Body: h.says(sequence, "", body)}); err != nil {
			t.Fatal(err)
		}
	}
	for turn, test := range []struct {
		extensions []pkix.Extension
		want       string
	}{
		{nil, "null"},
		{
			[]pkix.Extension{puppetExtension(t, 1, 13, "web"), puppetExtension(t, 2, 7, "own"), puppetExtension(t, 1, 4, "canary")},
			`{"certname":"web1.acme.net","extensions":{"1.3.6.1.4.1.34380.1.2.7":"own","pp_preshared_key":"[redacted]","pp_role":"web"},"pp_preshared_key":"[redacted]","pp_role":"web"}`,
		},
		{[]pkix.Extension{puppetExtension(t, 1, 13, "db")}, `{"certname":"web1.acme.net","extensions":{"pp_role":"db"},"pp_role":"db"}`},
		{nil, "null"},
	} {
		tell(ca.node("web1.acme.net", test.extensions...), turn)
		shown := func() (facts, trusted string) {
			n, _ := reg.Node("web1.acme.net")
			if n.Trusted == nil {
				return string(registry.AppendJSON(nil, n.Facts)), "null"
			}
			return string(registry.AppendJSON(nil, n.Facts)), string(registry.AppendJSON(nil, n.Trusted))
		}
		eventually(t, "the trusted facts", func() bool {
			facts, trusted := shown()
			return facts == fmt.Sprintf(`{"turn":%d}`, turn) && trusted == test.want
		})
	}
}
