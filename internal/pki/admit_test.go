package pki_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/pki"
)

func mustToken(tb testing.TB, a *pki.Authority, spec pki.TokenSpec) string {
	tb.Helper()
	token, err := a.CreateToken(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func newKey(tb testing.TB) crypto.Signer {
	tb.Helper()
	key, err := pki.NewKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// csr is a certificate request that asks for much more than it may have.
func csr(tb testing.TB, key crypto.Signer, name string) string {
	tb.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: name, OrganizationalUnit: []string{"operator"}},
		DNSNames: []string{"registry.acme.net"},
		ExtraExtensions: []pkix.Extension{
			{Id: []int{1, 3, 6, 1, 4, 1, 34380, 1, 3, 13}, Value: append([]byte{12, 15}, "muster:operator"...)},
			{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}, // CA:TRUE
		},
	}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func wantDenied(tb testing.TB, err error, reason, detail string) {
	tb.Helper()
	denied, ok := errors.AsType[*pki.Denied](err)
	if !ok || denied.Reason != reason || !strings.Contains(denied.Detail, detail) {
		tb.Errorf("got %v, want it denied for %s: …%s…", err, reason, detail)
	}
}

// The certificate says what the token allows, whatever the request asks for.
func TestAdmit(t *testing.T) {
	a, _ := newAuthority(t, t.TempDir())
	key := newKey(t)
	token := mustToken(t, a, pki.TokenSpec{Pattern: "*.ACME.net"})
	cert, err := a.Admit(pki.JoinRequest{Token: token, CSR: csr(t, key, "web1.acme.net"), Identity: "web1.acme.net"})
	if err != nil {
		t.Fatal(err)
	}
	if pki.NameOf(cert) != "web1.acme.net" || pki.RoleOf(cert) != pki.RoleNode || cert.IsCA || len(cert.DNSNames) > 0 || len(cert.Subject.OrganizationalUnit) > 0 {
		t.Errorf("got %v, role %s, CA %t, names %v", cert.Subject, pki.RoleOf(cert), cert.IsCA, cert.DNSNames)
	}
	if !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
		t.Error("the certificate is for another key")
	}
}

func TestAdmitDenies(t *testing.T) {
	key := newKey(t)
	for name, test := range map[string]struct {
		spec           pki.TokenSpec
		change         func(*testing.T, *pki.Authority, *clock, *pki.JoinRequest)
		reason, detail string
	}{
		"unknown token": {change: func(_ *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Token = strings.Repeat("a", 32)
		}, reason: pki.DeniedToken, detail: "not known"},
		"empty token": {change: func(_ *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Token = ""
		}, reason: pki.DeniedToken, detail: "not known"},
		"expired token": {spec: pki.TokenSpec{TTL: time.Hour}, change: func(_ *testing.T, _ *pki.Authority, c *clock, _ *pki.JoinRequest) {
			c.at = noon.Add(time.Hour + time.Second)
		}, reason: pki.DeniedToken, detail: "expired at 2026-11-27 13:00:00 UTC"},
		"revoked token": {change: func(t *testing.T, a *pki.Authority, _ *clock, _ *pki.JoinRequest) {
			all, err := a.Tokens()
			if err != nil || len(all) != 1 {
				t.Fatalf("got tokens %v, %v", all, err)
			}
			if err := a.RevokeToken(all[0].ID); err != nil {
				t.Fatal(err)
			}
		}, reason: pki.DeniedToken, detail: "not known"},
		"name outside the pattern": {spec: pki.TokenSpec{Pattern: "web*.acme.net"}, change: func(t *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Identity, r.CSR = "db1.acme.net", csr(t, key, "db1.acme.net")
		}, reason: pki.DeniedIdentity, detail: "only web*.acme.net"},
		"hostile name": {change: func(t *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Identity, r.CSR = "-oProxyCommand", csr(t, key, "")
		}, reason: pki.DeniedIdentity, detail: "begins with -"},
		"no name": {change: func(t *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Identity, r.CSR = "", csr(t, key, "")
		}, reason: pki.DeniedIdentity, detail: "empty"},
		"two names": {change: func(_ *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.Identity = "web2.acme.net"
		}, reason: pki.DeniedIdentity, detail: `for "web1.acme.net"`},
		"name that is taken": {change: func(t *testing.T, a *pki.Authority, _ *clock, _ *pki.JoinRequest) {
			mustIssue(t, a, pki.Grant{Name: "WEB1.acme.net"})
		}, reason: pki.DeniedExists, detail: "certificate already"},
		"no request": {change: func(_ *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.CSR = "hello"
		}, reason: pki.DeniedRequest, detail: "PEM"},
		"large request": {change: func(_ *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			r.CSR = strings.Repeat("x", 20_000)
		}, reason: pki.DeniedRequest, detail: "more than"},
		"request not signed with its key": {change: func(t *testing.T, _ *pki.Authority, _ *clock, r *pki.JoinRequest) {
			block, _ := pem.Decode([]byte(r.CSR))
			block.Bytes[len(block.Bytes)-1] ^= 1
			r.CSR = string(pem.EncodeToMemory(block))
		}, reason: pki.DeniedRequest, detail: "not made with its key"},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAuthority(t, t.TempDir())
			r := pki.JoinRequest{Token: mustToken(t, a, test.spec), CSR: csr(t, key, "web1.acme.net"), Identity: "web1.acme.net"}
			test.change(t, a, c, &r)
			_, err := a.Admit(r)
			wantDenied(t, err, test.reason, test.detail)
		})
	}
}

func TestOneTimeToken(t *testing.T) {
	a, _ := newAuthority(t, t.TempDir())
	token := mustToken(t, a, pki.TokenSpec{})
	first := pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), "web1"), Identity: "web1"}
	cert, err := a.Admit(first)
	if err != nil {
		t.Fatal(err)
	}
	// Its answer was lost, so it asks again.
	again, err := a.Admit(first)
	if err != nil || !again.Equal(cert) {
		t.Errorf("asked again: got %v, want the same certificate", err)
	}
	// Another key for the same name, and another name.
	_, err = a.Admit(pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), "web1"), Identity: "web1"})
	wantDenied(t, err, pki.DeniedToken, "used already")
	_, err = a.Admit(pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), "web2"), Identity: "web2"})
	wantDenied(t, err, pki.DeniedToken, "used already")
	if left, err := a.Tokens(); err != nil || len(left) != 0 {
		t.Errorf("got tokens %v, %v; want none", left, err)
	}
}

// However many ask at once, through however many processes, a token for two
// gives two certificates.
func TestTokenUsedAtOnce(t *testing.T) {
	dir := t.TempDir()
	a, c := newAuthority(t, dir)
	other, err := pki.LoadAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	token := mustToken(t, a, pki.TokenSpec{Uses: 2})
	var admitted atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		name := "web" + string(rune('a'+i))
		request := pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), name), Identity: name}
		authority := []*pki.Authority{a, other}[i%2]
		all.Go(func() {
			if _, err := authority.Admit(request); err != nil {
				wantDenied(t, err, pki.DeniedToken, "used already")
				return
			}
			admitted.Add(1)
		})
	}
	all.Wait()
	if admitted.Load() != 2 {
		t.Errorf("%d were admitted, want 2", admitted.Load())
	}
	if issued, err := other.Certificates(); err != nil || len(issued) != 2 {
		t.Errorf("got %d certificates, %v; want 2", len(issued), err)
	}
}

// A machine that was installed again replaces what it was.
func TestReissue(t *testing.T) {
	dir := t.TempDir()
	a, c := newAuthority(t, dir)
	old := mustIssue(t, a, pki.Grant{Name: "web1"})
	watching, err := pki.LoadAuthority(dir, c.now)
	if err != nil || watching.IsRevoked(old) {
		t.Fatalf("got %v, revoked %t", err, watching.IsRevoked(old))
	}
	token := mustToken(t, a, pki.TokenSpec{Reissue: true})
	fresh, err := a.Admit(pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), "web1"), Identity: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	if !watching.IsRevoked(old) || watching.IsRevoked(fresh) {
		t.Errorf("revoked: old %t, new %t; want true, false", watching.IsRevoked(old), watching.IsRevoked(fresh))
	}
}

func TestRevoke(t *testing.T) {
	a, c := newAuthority(t, t.TempDir())
	web1, web2 := mustIssue(t, a, pki.Grant{Name: "web1"}), mustIssue(t, a, pki.Grant{Name: "web2"})
	if n, err := a.Revoke("WEB1"); n != 1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if !a.IsRevoked(web1) || a.IsRevoked(web2) {
		t.Errorf("revoked: web1 %t, web2 %t", a.IsRevoked(web1), a.IsRevoked(web2))
	}
	if n, err := a.Revoke(web2.SerialNumber.Text(16)); n != 1 || err != nil || !a.IsRevoked(web2) {
		t.Errorf("by serial number: got %d, %v, revoked %t", n, err, a.IsRevoked(web2))
	}
	if _, err := a.Revoke("web1"); err == nil || !strings.Contains(err.Error(), "no live certificate") {
		t.Errorf("again: got %v", err)
	}
	// Another CA's certificate with the same serial number is another one.
	other, _ := newAuthority(t, "")
	foreign := mustIssue(t, other, pki.Grant{Name: "web1"})
	foreign.SerialNumber = web1.SerialNumber
	if a.IsRevoked(foreign) {
		t.Error("another CA's certificate is revoked")
	}
	// What has expired needs no revocation, and frees the name.
	mustIssue(t, a, pki.Grant{Name: "web3", TTL: time.Hour})
	c.at = noon.Add(2 * time.Hour)
	if _, err := a.Admit(pki.JoinRequest{Token: mustToken(t, a, pki.TokenSpec{}), CSR: csr(t, newKey(t), "web3"), Identity: "web3"}); err != nil {
		t.Error(err)
	}
}

// A line that a crash cut short is not there, and does not harm the next one.
func TestLedgerSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	a, c := newAuthority(t, dir)
	cert := mustIssue(t, a, pki.Grant{Name: "web1"})
	path := filepath.Join(dir, "certificates.ndjson")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"serial":"12","identity":"` + strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	file.Close()
	again, err := pki.LoadAuthority(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Revoke("web1"); err != nil || !again.IsRevoked(cert) || !a.IsRevoked(cert) {
		t.Errorf("got %v, revoked %t and %t", err, again.IsRevoked(cert), a.IsRevoked(cert))
	}
	if issued, err := a.Certificates(); err != nil || len(issued) != 1 {
		t.Errorf("got %v, %v", issued, err)
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "xxx") {
		t.Errorf("the rest of the broken line is still there, or %v", err)
	}
}

func TestTokensAreNotStored(t *testing.T) {
	dir := t.TempDir()
	a, _ := newAuthority(t, dir)
	token := mustToken(t, a, pki.TokenSpec{Pattern: "web*", Role: pki.RoleOperator, Uses: 3})
	if len(token) != 32 || token == mustToken(t, a, pki.TokenSpec{}) {
		t.Errorf("got token %q, and again", token)
	}
	text, err := os.ReadFile(filepath.Join(dir, "tokens.json"))
	if err != nil || strings.Contains(string(text), token) {
		t.Errorf("the file of tokens holds the token, or %v", err)
	}
	all, err := a.Tokens()
	if err != nil || len(all) != 2 || all[0].Uses != 3 || all[0].Role != pki.RoleOperator || all[0].Pattern != "web*" {
		t.Errorf("got %+v, %v", all, err)
	}
	for _, bad := range []pki.TokenSpec{{Pattern: "["}, {Role: "king"}, {Uses: -1}, {TTL: -time.Second}} {
		if _, err := a.CreateToken(bad); err == nil {
			t.Errorf("%+v: got a token", bad)
		}
	}
	if err := a.RevokeToken("nonesuch"); err == nil {
		t.Error("a token that does not exist was revoked")
	}
}

// If the disk is full, nobody is admitted.
func TestAdmitFailsWithTheDisk(t *testing.T) {
	dir := t.TempDir()
	a, _ := newAuthority(t, dir)
	token := mustToken(t, a, pki.TokenSpec{})
	if err := os.Mkdir(filepath.Join(dir, "certificates.ndjson"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := a.Admit(pki.JoinRequest{Token: token, CSR: csr(t, newKey(t), "web1"), Identity: "web1"})
	if denied, ok := errors.AsType[*pki.Denied](err); err == nil || ok {
		t.Errorf("got %v, %v; want an error that is not the asker's fault", err, denied)
	}
}
