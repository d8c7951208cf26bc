package pki_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/pki"
)

func TestCRL(t *testing.T) {
	site := newPuppetSite(t, noon, "web1", "web2")
	web1, err := pki.LoadPuppet(site.dir, "web1")
	if err != nil {
		t.Fatal(err)
	}
	web2, err := pki.LoadPuppet(site.dir, "web2")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(site.dir, "crl.pem")
	c := &clock{noon}
	crl, err := pki.OpenCRL(path, web1.CA, c.now)
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	expect := func(when string, one, two bool) {
		t.Helper()
		changes++ // files changed within the clock's grain would look the same
		if err := os.Chtimes(path, time.Time{}, noon.Add(time.Duration(changes)*time.Second)); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(10 * time.Second)
		if got1, got2 := crl.IsRevoked(web1.Chain[0]), crl.IsRevoked(web2.Chain[0]); got1 != one || got2 != two {
			t.Errorf("%s: revoked %t, %t; want %t, %t", when, got1, got2, one, two)
		}
	}
	expect("at first", false, false)
	site.revoke(web1.Chain[0].SerialNumber.Int64())
	expect("revoked", true, false)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("while the file is written", true, false)
	stranger := newPuppetSite(t, noon)
	stranger.dir = site.dir
	stranger.revoke(web2.Chain[0].SerialNumber.Int64())
	expect("a list of another CA of the same name", true, false)
	site.revoke(web2.Chain[0].SerialNumber.Int64())
	expect("another one revoked", false, true)

	// Our own CA's certificate with the same serial number is not on it.
	authority, _ := newAuthority(t, "")
	own := mustIssue(t, authority, pki.Grant{Name: "web2"})
	own.SerialNumber = web2.Chain[0].SerialNumber
	if crl.IsRevoked(own) {
		t.Error("another CA's certificate is on the list")
	}
}

func TestOpenCRLTellsWhatIsWrong(t *testing.T) {
	site := newPuppetSite(t, noon)
	authority, _ := newAuthority(t, "")
	path := filepath.Join(site.dir, "crl.pem")
	if _, err := pki.OpenCRL(path, nil, nil); err == nil || !strings.Contains(err.Error(), "none of the CAs") {
		t.Errorf("no CA: got %v", err)
	}
	if _, err := pki.OpenCRL(filepath.Join(site.dir, "certs/ca.pem"), nil, nil); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("another file: got %v", err)
	}
	if _, err := pki.OpenCRL(path+".gone", nil, nil); err == nil {
		t.Error("no file was no error")
	}
	if _, err := pki.OpenCRL(path, []*x509.Certificate{authority.Certificate(), site.ca, site.root}, nil); err != nil {
		t.Error(err)
	}
}
