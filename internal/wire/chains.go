package wire

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// DefaultMaxChains is how many verified chains are surely remembered where
// nothing else is said.
const DefaultMaxChains = 8192

// chain is a verified certificate chain: what its header says, and until when
// that may be believed.
type chain struct {
	alg         algorithm
	proof       Proof
	path        []*x509.Certificate // from the sender's to the root
	from, until time.Time           // when all of path are valid
	roots       *x509.CertPool      // what it was verified against
}

// chains remembers verified chains by the fingerprint of the header they came
// in. Only chains that were verified get in, so nobody without a certificate
// can fill it.
//
// It keeps two generations: when the younger is full the older is forgotten,
// so it holds between one and two times max.
type chains struct {
	mu    sync.Mutex
	young map[[sha256.Size]byte]*chain
	old   map[[sha256.Size]byte]*chain
}

// verify returns the chain of a protected header, remembered or verified now.
// The error's reason is BadSeal or Untrusted.
func (c *chains) verify(protected []byte, roots *x509.CertPool, now time.Time, limit int) (*chain, *Refusal) {
	key := sha256.Sum256(protected)
	if found := c.get(key, limit); found != nil && found.holds(roots, now) {
		return found, nil
	}
	fresh, refusal := verifyChain(protected, roots, now)
	if refusal != nil {
		return nil, refusal
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(key, fresh, limit)
	return fresh, nil
}

func (c *chains) get(key [sha256.Size]byte, limit int) *chain {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.young[key]; found != nil {
		return found
	}
	found := c.old[key]
	if found != nil {
		c.put(key, found, limit)
	}
	return found
}

func (c *chains) put(key [sha256.Size]byte, fresh *chain, limit int) {
	if c.young == nil || len(c.young) >= limit {
		c.young, c.old = make(map[[sha256.Size]byte]*chain), c.young
	}
	c.young[key] = fresh
}

// holds reports whether a chain may still be believed.
func (c *chain) holds(roots *x509.CertPool, now time.Time) bool {
	return c.roots.Equal(roots) && !now.Before(c.from) && !now.After(c.until)
}

// verifyChain reads a header and verifies its certificates.
func verifyChain(protected []byte, roots *x509.CertPool, now time.Time) (*chain, *Refusal) {
	alg, certs, err := parseHeader(protected)
	if err != nil {
		return nil, refuse(BadSeal, "%v", err)
	}
	leaf := certs[0]
	proof, err := ProofOf(leaf)
	if err != nil {
		return nil, refuse(Untrusted, "%v", err)
	}
	untrusted := func(format string, args ...any) *Refusal {
		r := refuse(Untrusted, format, args...)
		r.Sender = proof.Name
		return r
	}
	switch want, err := algorithmOf(leaf.PublicKey); {
	case err != nil:
		return nil, untrusted("the certificate can not seal messages: %v", err)
	case alg != want:
		r := refuse(BadSeal, "the header's alg is %q, the certificate's key wants %q", string(alg), string(want))
		r.Sender = proof.Name
		return nil, r
	case leaf.IsCA:
		return nil, untrusted("the certificate is a CA's, which speaks for no machine")
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, untrusted("the certificate's key may not be used for signatures")
	case now.Before(leaf.NotBefore):
		return nil, untrusted("the certificate is not valid before %s; here it is %s", stamp(leaf.NotBefore), stamp(now))
	case now.After(leaf.NotAfter):
		return nil, untrusted("the certificate expired at %s; here it is %s", stamp(leaf.NotAfter), stamp(now))
	}
	path, err := pathToRoot(certs, roots, now)
	if err != nil {
		return nil, untrusted("%v", err)
	}
	c := &chain{alg: alg, proof: proof, path: path, roots: roots, from: leaf.NotBefore, until: leaf.NotAfter}
	for _, cert := range path[1:] {
		if cert.NotBefore.After(c.from) {
			c.from = cert.NotBefore
		}
		if cert.NotAfter.Before(c.until) {
			c.until = cert.NotAfter
		}
	}
	return c, nil
}

// pathToRoot returns the certificates from the sender's to a root.
func pathToRoot(certs []*x509.Certificate, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	if roots == nil { // to crypto/x509 that means those of the system
		return nil, fmt.Errorf("there is no CA to trust")
	}
	between := x509.NewCertPool()
	for _, cert := range certs[1:] {
		between.AddCert(cert)
	}
	paths, err := certs[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: between,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("the certificate, issued by %q, leads to no CA that is trusted here: %w", certs[0].Issuer.CommonName, err)
	}
	return paths[0], nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
