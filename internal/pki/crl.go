package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// crlEvery is how often the file is looked at, at most.
const crlEvery = 10 * time.Second

// CRL is a file of certificate revocation lists, such as crl.pem in Puppet's
// ssldir. Where the file changes it is read again. It may be used by several
// goroutines at once.
type CRL struct {
	path string
	cas  []*x509.Certificate
	now  func() time.Time

	mu      sync.Mutex
	looked  time.Time // when the file was last looked at
	changed time.Time // when it was last changed, by its own time
	revoked map[revokedKey]bool
}

type revokedKey struct{ issuer, serial string }

// OpenCRL reads the lists in the file at path. Each must be signed by one of
// cas. A nil now means time.Now.
func OpenCRL(path string, cas []*x509.Certificate, now func() time.Time) (*CRL, error) {
	if now == nil {
		now = time.Now
	}
	c := &CRL{path: path, cas: cas, now: now}
	c.looked = now()
	return c, c.read()
}

// IsRevoked reports whether a certificate is on the list of its issuer. While
// a changed file can not be read, what was last read of it holds.
func (c *CRL) IsRevoked(cert *x509.Certificate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked).Abs() >= crlEvery {
		c.looked = now
		_ = c.read() // see above
	}
	return c.revoked[revokedKey{string(cert.RawIssuer), cert.SerialNumber.String()}]
}

// read reads the file, if it has changed.
func (c *CRL) read() error {
	info, err := os.Stat(c.path)
	if err != nil {
		return fmt.Errorf("read the revocation list: %w", err)
	}
	if c.revoked != nil && info.ModTime().Equal(c.changed) {
		return nil
	}
	text, err := os.ReadFile(c.path)
	if err != nil {
		return fmt.Errorf("read the revocation list: %w", err)
	}
	lists, revoked := 0, make(map[revokedKey]bool)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		if err := c.take(block.Bytes, revoked); err != nil {
			return fmt.Errorf("read the revocation list: %s: %w", c.path, err)
		}
		lists++
	}
	if lists == 0 { // it is being written, say: that must not free anybody
		return fmt.Errorf("read the revocation list: there is none in %s (want PEM text)", c.path)
	}
	c.revoked, c.changed = revoked, info.ModTime()
	return nil
}

// take adds what is on one list to revoked.
func (c *CRL) take(der []byte, revoked map[revokedKey]bool) error {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	for _, ca := range c.cas {
		if !bytes.Equal(ca.RawSubject, list.RawIssuer) || list.CheckSignatureFrom(ca) != nil {
			continue
		}
		for _, entry := range list.RevokedCertificateEntries {
			revoked[revokedKey{string(list.RawIssuer), entry.SerialNumber.String()}] = true
		}
		return nil
	}
	return errors.New("a list in it is signed by none of the CAs")
}
