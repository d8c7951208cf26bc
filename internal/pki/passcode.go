package pki

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"muster/internal/durable"
)

const secretBytes = 32

// Passcode is a node's passcode at the broker: 160 bits of an HMAC-SHA256 of
// its identity, compared without case. Whoever has the secret can check it,
// so the broker needs no list.
func Passcode(secret []byte, identity string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("muster broker passcode\x00" + strings.ToLower(identity)))
	return tokenText.EncodeToString(mac.Sum(nil)[:tokenBytes])
}

// CheckPasscode reports whether passcode is that identity's, in a time that
// does not depend on how much of it is right.
func CheckPasscode(secret []byte, identity, passcode string) bool {
	return len(secret) > 0 && hmac.Equal([]byte(Passcode(secret, identity)), []byte(passcode))
}

// OpenSecret reads the secret at path, or makes one there, of 256 random bits,
// if there is none.
func OpenSecret(path string) ([]byte, error) {
	unlock, err := durable.Lock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open a secret: %w", err)
	}
	defer unlock()
	secret, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		secret = make([]byte, secretBytes)
		rand.Read(secret) // never fails
		return secret, durable.Write(path, secret)
	case err != nil:
		return nil, fmt.Errorf("open a secret: %w", err)
	case len(secret) != secretBytes:
		return nil, fmt.Errorf("open a secret: %s has %d bytes, want %d", path, len(secret), secretBytes)
	}
	return secret, nil
}
