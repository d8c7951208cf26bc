package pki_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"muster/internal/pki"
)

func TestRenewIsProven(t *testing.T) {
	stranger, _ := newAuthority(t, "")
	for name, test := range map[string]struct {
		change func(t *testing.T, a *pki.Authority, c *clock, pair *pki.KeyPair, r *pki.RenewRequest)
		reason string
		detail string
	}{
		"other key": {func(t *testing.T, a *pki.Authority, _ *clock, pair *pki.KeyPair, r *pki.RenewRequest) {
			thief := *pair
			thief.Key = newKey(t)
			*r = mustAsk(t, &thief, noon)
		}, pki.DeniedProof, "not signed with its key"},
		"other time": {func(_ *testing.T, _ *pki.Authority, _ *clock, _ *pki.KeyPair, r *pki.RenewRequest) {
			r.At = r.At.Add(time.Second)
		}, pki.DeniedProof, "not signed with its key"},
		"old request": {func(_ *testing.T, _ *pki.Authority, c *clock, _ *pki.KeyPair, _ *pki.RenewRequest) {
			c.at = noon.Add(11 * time.Minute)
		}, pki.DeniedProof, "11m0s ago"},
		"expired": {func(t *testing.T, _ *pki.Authority, c *clock, pair *pki.KeyPair, r *pki.RenewRequest) {
			c.at = noon.Add(pki.DefaultTTL + time.Hour)
			*r = mustAsk(t, pair, c.at)
		}, pki.DeniedProof, "join again"},
		"revoked": {func(t *testing.T, a *pki.Authority, _ *clock, _ *pki.KeyPair, _ *pki.RenewRequest) {
			if _, err := a.Revoke("web1"); err != nil {
				t.Fatal(err)
			}
		}, pki.DeniedProof, "revoked"},
		"other CA": {func(t *testing.T, _ *pki.Authority, _ *clock, _ *pki.KeyPair, r *pki.RenewRequest) {
			*r = mustAsk(t, newPair(t, stranger, "web1"), noon)
		}, pki.DeniedProof, "not from this CA"},
		"CA of the same name": {func(t *testing.T, a *pki.Authority, _ *clock, pair *pki.KeyPair, r *pki.RenewRequest) {
			key := newKey(t)
			fake := &x509.Certificate{SerialNumber: big.NewInt(1), RawSubject: a.Certificate().RawSubject, IsCA: true, BasicConstraintsValid: true}
			cert := *pair.Chain[0]
			cert.SignatureAlgorithm = 0 // that of the other key
			der, err := x509.CreateCertificate(rand.Reader, &cert, fake, pair.Key.Public(), key)
			if err != nil {
				t.Fatal(err)
			}
			forged := *pair
			forged.Chain = []*x509.Certificate{mustParse(t, der)}
			*r = mustAsk(t, &forged, noon)
		}, pki.DeniedProof, "not from this CA"},
		"the CA itself": {func(_ *testing.T, a *pki.Authority, _ *clock, _ *pki.KeyPair, r *pki.RenewRequest) {
			r.Certificate = certPEM(a.Certificate().Raw)
		}, pki.DeniedProof, "not from this CA"},
		"no certificate": {func(_ *testing.T, _ *pki.Authority, _ *clock, _ *pki.KeyPair, r *pki.RenewRequest) {
			r.Certificate = "hello"
		}, pki.DeniedRequest, "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAuthority(t, t.TempDir())
			pair := newPair(t, a, "web1")
			r := mustAsk(t, pair, noon)
			test.change(t, a, c, pair, &r)
			_, err := a.Renew(r)
			wantDenied(t, err, test.reason, test.detail)
		})
	}
}

func mustAsk(tb testing.TB, pair *pki.KeyPair, now time.Time) pki.RenewRequest {
	tb.Helper()
	r, err := pair.NewRenewRequest(now)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// Key, name and role stay; the time is new.
func TestRenewKeepsTheRole(t *testing.T) {
	a, c := newAuthority(t, "")
	key, err := pki.NewServerKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := a.Issue(key.Public(), pki.Grant{Name: "alice", Role: pki.RoleOperator, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	pair := newPair(t, a, "alice")
	pair.Key, pair.Chain[0] = key, cert
	if pair.Due(noon.Add(15*time.Minute)) || !pair.Due(noon.Add(50*time.Minute)) {
		t.Error("want it due in the last third of its life, not before")
	}
	fresh, err := a.Renew(mustAsk(t, pair, c.at))
	if err != nil {
		t.Fatal(err)
	}
	if pki.RoleOf(fresh) != pki.RoleOperator || pki.NameOf(fresh) != "alice" || !fresh.NotAfter.Equal(noon.Add(pki.DefaultTTL)) || !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(fresh.PublicKey) {
		t.Errorf("got %s, %s, until %s", pki.RoleOf(fresh), pki.NameOf(fresh), fresh.NotAfter)
	}
}
