package wire_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"testing"
	"time"

	"muster/internal/pki"
	"muster/internal/wire"
)

var update = flag.Bool("update", false, "seal testdata/registration.json anew")

const recordedBody = `{"facts":{"os":{"name":"Debian"}},"classes":["mysql::master"],"agents":["rpcutil"],"collectives":["mcollective"]}`

// A message that an earlier version sealed opens as ever, with a certificate
// that our own CA made.
func TestRecordedMessage(t *testing.T) {
	if *update {
		record(t)
	}
	sealed := mustRead(t, "testdata/registration.json")
	block, _ := pem.Decode(mustRead(t, "testdata/ca.pem"))
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	opener := &wire.Opener{Roots: func() *x509.CertPool { return pool }, Now: func() time.Time { return noon }}
	opened, err := opener.Open(bytes.TrimSpace(sealed))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Message{
		Kind: wire.Registration, Sender: "db1.acme.net", Caller: "cert=db1.acme.net", Agent: "registration", Collective: "mcollective",
		RequestID: "0123456789abcdef0123456789abcdef", Sequence: uint64(noon.UnixNano()), Sent: noon.Add(250 * time.Millisecond),
		ReplyTo: "/topic/mcollective.muster.reply.x", Body: []byte(recordedBody),
	}
	if opened.Kind != want.Kind || opened.Sender != want.Sender || opened.Caller != want.Caller || opened.Agent != want.Agent ||
		opened.Collective != want.Collective || opened.RequestID != want.RequestID || opened.Sequence != want.Sequence ||
		!opened.Sent.Equal(want.Sent) || opened.ReplyTo != want.ReplyTo || !bytes.Equal(opened.Body, want.Body) {
		t.Errorf("got  %+v\nwant %+v", opened.Message, want)
	}
	if opened.Proof.Role != "node" || opened.Proof.Name != "db1.acme.net" {
		t.Errorf("got %+v", opened.Proof)
	}
}

func record(t *testing.T) {
	authority, err := pki.CreateAuthority("", func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519Key(t)
	cert, err := authority.Issue(key.Public(), pki.Grant{Name: "db1.acme.net"})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := wire.NewSealer(key, []*x509.Certificate{cert})
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, sealer, wire.Message{
		Kind: wire.Registration, Agent: "registration", Collective: "mcollective", RequestID: "0123456789abcdef0123456789abcdef",
		Sequence: uint64(noon.UnixNano()), Sent: noon.Add(250 * time.Millisecond), ReplyTo: "/topic/mcollective.muster.reply.x",
		Body: []byte(recordedBody),
	})
	for path, data := range map[string][]byte{
		"testdata/registration.json": append(sealed, '\n'),
		"testdata/ca.pem":            pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}),
	} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The two rooms agree on who holds a certificate, and in which role.
func TestAgreesWithPKI(t *testing.T) {
	authority, err := pki.CreateAuthority("", func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	opener := &wire.Opener{Roots: authority.Roots, Revoked: authority.IsRevoked, Now: func() time.Time { return noon }}
	long := "a-very-long-name-of-a-machine-in-a-data-centre-far-away.customer.acme.net"
	for _, grant := range []pki.Grant{
		{Name: "web1"}, {Name: long}, {Name: "alice", Role: pki.RoleOperator},
		{Name: "registry", Role: pki.RoleRegistry, Hosts: []string{"localhost", "127.0.0.1"}},
	} {
		key := ed25519Key(t)
		cert, err := authority.Issue(key.Public(), grant)
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := wire.NewSealer(key, []*x509.Certificate{cert, authority.Certificate()})
		if err != nil {
			t.Fatal(err)
		}
		sealed := mustSeal(t, sealer, registration())
		opened, err := opener.Open(sealed)
		if err != nil {
			t.Errorf("%s: %v", grant.Name, err)
			continue
		}
		if opened.Proof.Name != pki.NameOf(cert) || opened.Proof.Role != string(pki.RoleOf(cert)) || opened.Proof.Fingerprint != pki.Fingerprint(cert) {
			t.Errorf("%s: got %+v; pki says %s, %s", grant.Name, opened.Proof, pki.NameOf(cert), pki.RoleOf(cert))
		}
		if _, err := authority.Revoke(grant.Name); err != nil {
			t.Fatal(err)
		}
		_, err = opener.Open(sealed)
		wantRefusal(t, err, wire.Revoked, "")
	}
}
