package pki_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/internal/pki"
)

// Whatever is done to an authority, in whatever order and by two processes: a
// certificate that was not taken back is believed until the authority it is of is
// dropped, which happens to nobody who would be shut out; what the registry issues
// for itself is of the oldest that is accepted, what nodes get of the newest.
func TestRotationShutsNobodyOut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		first, c := newAuthority(t, dir)
		second, err := pki.LoadAuthority(dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		both := []*pki.Authority{first, second}
		holders := map[string]*pki.KeyPair{} // by name, with their newest certificates
		check := func(a *pki.Authority) {
			accepted := a.Accepted()
			if len(accepted) > 2 || a.Certificate() != accepted[len(accepted)-1] {
				rt.Fatalf("%d are accepted", len(accepted))
			}
			for name, pair := range holders {
				if _, err := pair.Chain[0].Verify(x509.VerifyOptions{Roots: a.Roots(), CurrentTime: c.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil || a.IsRevoked(pair.Chain[0]) {
					rt.Fatalf("%s is shut out: %v", name, err)
				}
			}
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			a := both[rapid.IntRange(0, 1).Draw(rt, "process")]
			c.at = c.at.Add(time.Minute)
			name := rapid.SampledFrom([]string{"web1", "web2", "web3"}).Draw(rt, "name")
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0: // a node is enrolled, or renews
				if holders[name] == nil {
					holders[name] = newPair(t, a, name)
				}
				cert, err := a.Renew(mustAsk(t, holders[name], c.at))
				if err != nil || cert.CheckSignatureFrom(a.Accepted()[0]) != nil || a.Outdated(cert) {
					rt.Fatalf("%s: %v", name, err)
				}
				holders[name].Chain[0] = cert
			case 1: // one is enrolled by the registry itself
				if holders[name] == nil {
					holders[name] = newPair(t, a, name)
					if holders[name].Chain[0].CheckSignatureFrom(a.Certificate()) != nil {
						rt.Fatalf("%s has a certificate of another CA than is shown", name)
					}
				}
			case 2:
				had := len(a.Accepted())
				if err := a.Rotate(); (err == nil) != (had == 1) {
					rt.Fatalf("with %d accepted: %v", had, err)
				}
			case 3:
				had, outdated := len(a.Accepted()), []string{}
				for name, pair := range holders {
					if a.Outdated(pair.Chain[0]) {
						outdated = append(outdated, name)
					}
				}
				slices.Sort(outdated)
				err := a.Drop(false)
				needed, ok := errors.AsType[*pki.StillNeeded](err)
				switch {
				case (err == nil) != (had == 2 && len(outdated) == 0):
					rt.Fatalf("with %d accepted and %v of the old one: %v", had, outdated, err)
				case had == 2 && err != nil && (!ok || !slices.Equal(needed.Names, outdated)):
					rt.Fatalf("%v are of the old one, and it says %v", outdated, err)
				}
			}
			for _, a := range both {
				check(a)
			}
		}
	})
}

// Forced, or with names that are the registry's own, an old authority goes though
// certificates of it are left; those are over then.
func TestAnOldAuthorityIsDropped(t *testing.T) {
	for name, drop := range map[string]func(*pki.Authority) error{
		"forced":  func(a *pki.Authority) error { return a.Drop(true) },
		"its own": func(a *pki.Authority) error { return a.Drop(false, "web1") },
	} {
		a, _ := newAuthority(t, t.TempDir())
		web := newPair(t, a, "web1")
		if err := a.Rotate(); err != nil {
			t.Fatal(err)
		}
		if s, err := a.Standings(); err != nil || len(s) != 2 || !s[0].Signs || len(s[0].Names) != 0 || !slices.Equal(s[1].Names, []string{"web1"}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if err := a.Drop(false); err == nil || !strings.Contains(err.Error(), "1 would be shut out, having no certificate of the new one yet: web1") {
			t.Errorf("%s: %v", name, err)
		}
		if err := drop(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := web.Chain[0].Verify(x509.VerifyOptions{Roots: a.Roots(), CurrentTime: noon}); err == nil {
			t.Errorf("%s: a certificate of the old one is believed", name)
		}
		if _, err := a.Renew(mustAsk(t, web, noon)); err == nil {
			t.Errorf("%s: and renewed", name)
		}
	}
}
