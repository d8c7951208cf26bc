package wire

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxHeaderBytes = 16 << 10 // base64url text; two 4096-bit RSA certificates take 5 KiB
	maxChain       = 5        // certificates in a header
)

// x5cEncoding is the one place where RFC 7515 wants base64 as it was (4.1.6).
var x5cEncoding = base64.StdEncoding.Strict()

// parseHeader reads a protected header. Only the members that [Sealer] writes
// are allowed: what names another key (jwk, jku, x5u, kid), or says that the
// rules are others (crit, b64), has no place in it.
func parseHeader(protected []byte) (algorithm, []*x509.Certificate, error) {
	if len(protected) > maxHeaderBytes {
		return "", nil, fmt.Errorf("the header has %d bytes, more than %d", len(protected), maxHeaderBytes)
	}
	text, err := decode64(protected)
	if err != nil {
		return "", nil, errors.New("the header is not base64url")
	}
	members, err := newMembers(text)
	if err != nil {
		return "", nil, fmt.Errorf("the header: %w", err)
	}
	var alg, typ string
	var chain []*x509.Certificate
	for {
		name, value, err := members.next()
		if err != nil {
			return "", nil, fmt.Errorf("the header: %w", err)
		}
		if name == "" {
			break
		}
		switch name {
		case "alg":
			err = setText(&alg, value)
		case "typ":
			err = setText(&typ, value)
		case "x5c":
			chain, err = parseChain(value)
		default:
			err = errors.New("not allowed")
		}
		if err != nil {
			return "", nil, fmt.Errorf("the header's member %q: %w", name, err)
		}
	}
	if typ != sealType {
		return "", nil, fmt.Errorf("the header's typ is %q, want %q", typ, sealType)
	}
	if len(chain) == 0 {
		return "", nil, errors.New("the header has no certificate")
	}
	return algorithm(alg), chain, nil
}

func parseChain(value jsontext.Value) ([]*x509.Certificate, error) {
	if value.Kind() != '[' {
		return nil, errors.New("not a list")
	}
	texts, err := listOfText(value)
	if err != nil {
		return nil, err
	}
	if len(texts) > maxChain {
		return nil, fmt.Errorf("%d certificates, more than %d", len(texts), maxChain)
	}
	var chain []*x509.Certificate
	for _, text := range texts {
		der, err := x5cEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("not base64")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errors.New("not an X.509 certificate that can be read")
		}
		chain = append(chain, cert)
	}
	return chain, nil
}
