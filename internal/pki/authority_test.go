package pki_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"muster/internal/pki"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// clock is a clock that a test can turn.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newAuthority(tb testing.TB, dir string) (*pki.Authority, *clock) {
	tb.Helper()
	c := &clock{noon}
	a, err := pki.CreateAuthority(dir, c.now)
	if err != nil {
		tb.Fatal(err)
	}
	return a, c
}

func mustIssue(tb testing.TB, a *pki.Authority, g pki.Grant) *x509.Certificate {
	tb.Helper()
	key, err := pki.NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := a.Issue(key.Public(), g)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	a, c := newAuthority(t, t.TempDir())
	long := "a-very-long-name-of-a-machine-in-a-data-centre-far-away.customer.acme.net"
	for name, test := range map[string]struct {
		grant pki.Grant
		name  string
		role  pki.Role
		until time.Time
	}{
		"node":       {pki.Grant{Name: "web1.acme.net"}, "web1.acme.net", pki.RoleNode, noon.Add(pki.DefaultTTL)},
		"operator":   {pki.Grant{Name: "Alice", Role: pki.RoleOperator, TTL: time.Hour}, "alice", pki.RoleOperator, noon.Add(time.Hour)},
		"registry":   {pki.Grant{Name: "r", Role: pki.RoleRegistry}, "r", pki.RoleRegistry, noon.Add(pki.DefaultTTL)},
		"long name":  {pki.Grant{Name: long}, long, pki.RoleNode, noon.Add(pki.DefaultTTL)},
		"long years": {pki.Grant{Name: "x", TTL: 50 * pki.DefaultTTL}, "x", pki.RoleNode, a.Certificate().NotAfter},
	} {
		t.Run(name, func(t *testing.T) {
			cert := mustIssue(t, a, test.grant)
			if pki.NameOf(cert) != test.name || pki.RoleOf(cert) != test.role || !cert.NotAfter.Equal(test.until) {
				t.Errorf("got %s, %s, until %s; want %s, %s, until %s", pki.NameOf(cert), pki.RoleOf(cert), cert.NotAfter, test.name, test.role, test.until)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: a.Roots(), CurrentTime: c.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Error(err)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: a.Roots(), CurrentTime: c.at}); err == nil {
				t.Error("it can serve TLS, too")
			}
		})
	}
}

func TestIssueRefusesBadNames(t *testing.T) {
	a, _ := newAuthority(t, "")
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "-oProxyCommand", "a b", "a\nb", "a/b", "a@b", "ä", "a'b", string(make([]byte, 300))} {
		if cert, err := a.Issue(key.Public(), pki.Grant{Name: name}); err == nil {
			t.Errorf("%q: got a certificate for %q", name, pki.NameOf(cert))
		}
	}
	if _, err := a.Issue(key.Public(), pki.Grant{Name: "a", Role: "king"}); err == nil {
		t.Error("got a certificate for a role that does not exist")
	}
}

// What one process wrote another one reads, and nobody else can.
func TestAuthorityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "ca")
	a, c := newAuthority(t, dir)
	cert := mustIssue(t, a, pki.Grant{Name: "web1"})
	if _, err := a.CreateToken(pki.TokenSpec{}); err != nil {
		t.Fatal(err)
	}
	again, err := pki.OpenAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if again.Fingerprint() != a.Fingerprint() {
		t.Error("it is another CA")
	}
	if issued, err := again.Certificates(); err != nil || len(issued) != 1 || issued[0].Serial != cert.SerialNumber.Text(16) {
		t.Errorf("got certificates %v, %v", issued, err)
	}
	if _, err := pki.CreateAuthority(dir, c.now); err == nil {
		t.Error("a second CA was created over the first")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Fatalf("got %d files, %v; want 5", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", entry.Name(), info.Mode(), err)
		}
	}
}
