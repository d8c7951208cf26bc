package pki_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/pki"
)

func mustParse(tb testing.TB, der []byte) *x509.Certificate {
	tb.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

func newPair(tb testing.TB, a *pki.Authority, name string) *pki.KeyPair {
	tb.Helper()
	key := newKey(tb)
	cert, err := a.Issue(key.Public(), pki.Grant{Name: name})
	if err != nil {
		tb.Fatal(err)
	}
	return &pki.KeyPair{
		Key: key, Chain: []*x509.Certificate{cert}, CA: []*x509.Certificate{a.Certificate()},
		Site: pki.Site{Server: "https://" + name, Interval: time.Minute},
	}
}

// Whichever write fails, the folder holds the old pair, the new one, or none;
// never the key of the one and the certificate of the other.
func TestSaveIsNeverAMixture(t *testing.T) {
	a, _ := newAuthority(t, "")
	for _, obstacle := range []string{"key.pem", "ca.pem", "join.json", "cert.pem", ""} {
		t.Run("cut at "+obstacle, func(t *testing.T) {
			dir := t.TempDir()
			old, fresh := newPair(t, a, "old"), newPair(t, a, "new")
			if err := old.Save(dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, obstacle)
			if obstacle != "" { // a folder that is not empty can not be replaced
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := fresh.Save(dir); (err == nil) != (obstacle == "") {
				t.Fatalf("got error %v", err)
			}
			got, err := pki.LoadKeyPair(dir)
			if obstacle == "" {
				if err != nil || got.Name() != "new" || got.Site.Server != "https://new" {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err == nil {
				t.Errorf("got a pair of %s at %s", got.Name(), got.Site.Server)
			}
			if obstacle != "cert.pem" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want that there is none", err)
			}
		})
	}
}

func TestLoadKeyPairTellsWhatIsWrong(t *testing.T) {
	a, _ := newAuthority(t, "")
	for name, test := range map[string]struct{ file, text, want string }{
		"no certificate":      {"cert.pem", "", "no certificate"},
		"broken certificate":  {"cert.pem", certPEM([]byte("x")), "can not be read"},
		"no key":              {"key.pem", "hello", "no private key"},
		"key with a password": {"key.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "password"},
		"other key":           {"key.pem", "", "not the key"},
		"broken site":         {"join.json", "{", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := newPair(t, a, "web1").Save(dir); err != nil {
				t.Fatal(err)
			}
			if name == "other key" {
				other := t.TempDir()
				if err := newPair(t, a, "web2").Save(other); err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile(filepath.Join(other, "key.pem"))
				if err != nil {
					t.Fatal(err)
				}
				test.text = string(text)
			}
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := pki.LoadKeyPair(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.file) {
				t.Errorf("got %v, want an error with %q that names %s", err, test.want, test.file)
			}
		})
	}
}

func TestLoadPuppet(t *testing.T) {
	ssl := newPuppetSite(t, noon, "web1.acme.net").dir
	for _, name := range []string{"web1.acme.net", "Web1.acme.net", ""} {
		pair, err := pki.LoadPuppet(ssl, name)
		if err != nil {
			t.Fatal(err)
		}
		if pair.Name() != "web1.acme.net" || pair.Role() != pki.RoleNode || len(pair.Chain) != 2 || len(pair.CA) != 2 {
			t.Errorf("%q: got %s, %s, %d certificates, %d CAs", name, pair.Name(), pair.Role(), len(pair.Chain), len(pair.CA))
		}
	}
	for name, test := range map[string]struct{ ssl, certname, want string }{
		"other name": {ssl, "web2.acme.net", "web2.acme.net.pem"},
		"path":       {ssl, "../x", "not a certname"},
		"none":       {t.TempDir(), "", "has Puppet run"},
		"several":    {newPuppetSite(t, noon, "a", "b").dir, "", "a, b"},
	} {
		if _, err := pki.LoadPuppet(test.ssl, test.certname); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
}
