package pki_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"muster/internal/pki"
)

// One CA follows another while nobody is shut out: both are accepted, the new
// one signs, who holds a certificate of the old one renews it, and revocations
// hold for both.
func TestOneAuthorityFollowsAnother(t *testing.T) {
	c := &clock{at: noon}
	oldDir, dir := t.TempDir(), t.TempDir()
	old, err := pki.CreateAuthority(oldDir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	web, gone := newPair(t, old, "web1"), newPair(t, old, "gone")
	if _, err := old.Revoke("gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.CreateAuthority(dir, c.now); err != nil {
		t.Fatal(err)
	}
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	both := append(read(filepath.Join(dir, "ca.pem")), read(filepath.Join(oldDir, "ca.pem"))...)
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	ledger := append(read(filepath.Join(oldDir, "certificates.ndjson")), []byte{}...)
	if err := os.WriteFile(filepath.Join(dir, "certificates.ndjson"), ledger, 0o600); err != nil {
		t.Fatal(err)
	}
	next, err := pki.LoadAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(cert *x509.Certificate) error {
		_, err := cert.Verify(x509.VerifyOptions{Roots: next.Roots(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err
	}
	fresh := newPair(t, next, "web2")
	for _, pair := range []*pki.KeyPair{web, fresh} {
		if err := verify(pair.Chain[0]); err != nil || next.IsRevoked(pair.Chain[0]) {
			t.Errorf("%s: %v", pair.Name(), err)
		}
	}
	if !next.IsRevoked(gone.Chain[0]) {
		t.Error("a certificate that the old one took back is good again")
	}
	if _, err := next.Renew(mustAsk(t, gone, noon)); err == nil {
		t.Error("it was even renewed")
	}
	renewed, err := next.Renew(mustAsk(t, web, noon))
	if err != nil {
		t.Fatal(err)
	}
	if renewed.CheckSignatureFrom(next.Certificate()) != nil {
		t.Error("the new certificate is not from the new CA")
	}
	if n := len(next.Accepted()); n != 2 {
		t.Errorf("%d CAs are accepted", n)
	}
}
