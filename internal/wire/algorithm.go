package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// algorithm is a JWS algorithm (RFC 7518, RFC 8037). The key decides which one
// it is, never the message: a header that names another one is refused.
type algorithm string

const (
	rs256 algorithm = "RS256"
	es256 algorithm = "ES256"
	eddsa algorithm = "EdDSA"
)

// minRSABits is the shortest RSA key that may seal; Puppet makes 4096 bits.
const minRSABits = 2048

// es256Bytes is the length of one of the two numbers of an ES256 signature.
const es256Bytes = 32

// algorithmOf returns the one algorithm that a key may be used with.
func algorithmOf(key crypto.PublicKey) (algorithm, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return eddsa, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fmt.Errorf("its key is on the curve %s, want P-256", key.Params().Name)
		}
		return es256, nil
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits {
			return "", fmt.Errorf("its RSA key has %d bits, want at least %d", n, minRSABits)
		}
		return rs256, nil
	}
	return "", errors.New("its key is neither Ed25519, ECDSA nor RSA")
}

// sign returns the JWS signature of input.
func (a algorithm) sign(key crypto.Signer, input []byte) ([]byte, error) {
	if a == eddsa {
		return key.Sign(rand.Reader, input, crypto.Hash(0))
	}
	digest := sha256.Sum256(input)
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || a == rs256 {
		return sig, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &pair); err != nil {
		return nil, fmt.Errorf("read the key's own signature: %w", err)
	}
	flat := make([]byte, 2*es256Bytes)
	pair.R.FillBytes(flat[:es256Bytes])
	pair.S.FillBytes(flat[es256Bytes:])
	return flat, nil
}

// verify reports whether sig is key's signature of input.
// The key must be one for which algorithmOf returned a.
func (a algorithm) verify(key crypto.PublicKey, input, sig []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, sig)
	case *ecdsa.PublicKey:
		if len(sig) != 2*es256Bytes {
			return false
		}
		digest := sha256.Sum256(input)
		r := new(big.Int).SetBytes(sig[:es256Bytes])
		s := new(big.Int).SetBytes(sig[es256Bytes:])
		return ecdsa.Verify(key, digest[:], r, s)
	case *rsa.PublicKey:
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) == nil
	}
	return false
}
