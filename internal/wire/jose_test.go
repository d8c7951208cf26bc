package wire_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"muster/internal/wire"
)

// Another implementation of JWS verifies what we seal, and we open what it
// seals.
func TestAgreesWithGoJose(t *testing.T) {
	s := newSite(t, "site CA")
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{
		jose.EdDSA: ed25519Key(t), jose.ES256: ecdsaKey(t, elliptic.P256()), jose.RS256: rsaKey(t),
	} {
		t.Run(string(alg), func(t *testing.T) {
			cert := s.sign(leaf("web1"), s.cert, key.Public(), s.key)
			sealer, err := wire.NewSealer(key, []*x509.Certificate{cert})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 { // ES256 signatures differ, and so do their leading zeros
				theirs, err := jose.ParseSignedJSON(string(mustSeal(t, sealer, registration())), []jose.SignatureAlgorithm{alg})
				if err != nil {
					t.Fatal(err)
				}
				content, err := theirs.Verify(key.Public())
				if err != nil {
					t.Fatal(err)
				}
				if got := theirs.Signatures[0].Protected.ExtraHeaders["typ"]; got != "muster.v1" {
					t.Errorf("got typ %v", got)
				}
				pool := x509.NewCertPool()
				pool.AddCert(s.cert)
				chains, err := theirs.Signatures[0].Protected.Certificates(x509.VerifyOptions{
					Roots: pool, CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
				})
				if err != nil || !chains[0][0].Equal(cert) {
					t.Errorf("x5c: %v", err)
				}

				signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).
					WithType("muster.v1").WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(cert.Raw)}))
				if err != nil {
					t.Fatal(err)
				}
				signed, err := signer.Sign(content)
				if err != nil {
					t.Fatal(err)
				}
				opened, err := s.opener().Open([]byte(signed.FullSerialize()))
				if err != nil {
					t.Fatal(err)
				}
				if opened.Sender != "web1" || string(opened.Body) != string(registration().Body) {
					t.Errorf("got %+v", opened)
				}
			}
		})
	}
}
