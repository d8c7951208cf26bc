package wire_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
)

// forge seals any payload under any header, as somebody would who has a key
// and bad intentions, or another version.
func forge(tb testing.TB, key crypto.Signer, header, payload string) []byte {
	tb.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	signature, err := key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	if err != nil {
		tb.Fatal(err)
	}
	return flat(header, payload, signature)
}

// hmacForge seals with a shared secret: HS256.
func hmacForge(secret []byte, header, payload string) []byte {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s", base64.RawURLEncoding.EncodeToString([]byte(header)), base64.RawURLEncoding.EncodeToString([]byte(payload)))
	return flat(header, payload, mac.Sum(nil))
}

func flat(header, payload string, signature []byte) []byte {
	return fmt.Appendf(nil, `{"payload":"%s","protected":"%s","signature":"%s"}`,
		base64.RawURLEncoding.EncodeToString([]byte(payload)),
		base64.RawURLEncoding.EncodeToString([]byte(header)),
		base64.RawURLEncoding.EncodeToString(signature))
}

// header writes a header as ours is, with another algorithm and more members.
func header(alg, more string, chain ...*x509.Certificate) string {
	x5c := [][]byte{}
	for _, cert := range chain {
		x5c = append(x5c, cert.Raw)
	}
	list, err := json.Marshal(x5c)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"alg":%q,"typ":"muster.v1","x5c":%s%s}`, alg, list, more)
}

// payload is a request of web1, with more members.
func payload(id, more string) string {
	return fmt.Sprintf(`{"kind":"request","sender":"web1","requestid":%q,"sent":"2026-11-27T12:00:00Z","ttl":60%s}`, id, more)
}
