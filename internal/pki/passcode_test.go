package pki_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/pki"
)

func TestPasscode(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	// Worked out by another program (HMAC-SHA256, 20 bytes of it, base 32), so
	// that a change, which would lock every node out, is seen.
	const want = "avzh3b6io5cvnajag3xnbbpu24v6s2hs"
	got := pki.Passcode(secret, "web1.acme.net")
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, test := range map[string]struct {
		secret             []byte
		identity, passcode string
		ok                 bool
	}{
		"right":          {secret, "web1.acme.net", got, true},
		"without case":   {secret, "WEB1.acme.net", got, true},
		"other node":     {secret, "web2.acme.net", got, false},
		"other secret":   {secret[1:], "web1.acme.net", got, false},
		"empty":          {secret, "web1.acme.net", "", false},
		"longer":         {secret, "web1.acme.net", got + "a", false},
		"upper case":     {secret, "web1.acme.net", strings.ToUpper(got), false},
		"without secret": {nil, "web1.acme.net", pki.Passcode(nil, "web1.acme.net"), false},
	} {
		if ok := pki.CheckPasscode(test.secret, test.identity, test.passcode); ok != test.ok {
			t.Errorf("%s: got %t", name, ok)
		}
	}
}

func TestOpenSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.secret")
	secret, err := pki.OpenSecret(path)
	if err != nil || len(secret) != 32 {
		t.Fatalf("got %d bytes, %v", len(secret), err)
	}
	again, err := pki.OpenSecret(path)
	if err != nil || !bytes.Equal(again, secret) {
		t.Errorf("got another secret, or %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenSecret(path); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("got %v", err)
	}
}
