package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"muster/internal/durable"
)

const (
	authorityTTL = 10 * 365 * 24 * time.Hour
	backdate     = time.Hour // for machines whose clocks are behind

	// DefaultTTL is how long a certificate is valid where nothing else is said.
	DefaultTTL = 365 * 24 * time.Hour
)

// Authority is a certificate authority and what it remembers: the
// certificates it issued and revoked, and the join tokens it gave out.
//
// In its folder lie ca.pem, ca.key, certificates.ndjson, tokens.json and
// lock. Several processes may have the same folder open: what one does the
// others see. It may be used by several goroutines at once.
type Authority struct {
	dir    string // empty: nothing is kept
	cert   *x509.Certificate
	others []*x509.Certificate // accepted beside it, while one CA follows another
	key    crypto.Signer
	now    func() time.Time
	mu     sync.Mutex // held with the lock file
	ledger ledger
	tokens tokens
}

// OpenAuthority loads the authority in dir, or creates one there if there is
// none. A nil now means time.Now.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	a, err := LoadAuthority(dir, now)
	if errors.Is(err, fs.ErrNotExist) {
		return CreateAuthority(dir, now)
	}
	return a, err
}

// CreateAuthority makes a new CA, valid for ten years, in dir, which is made
// if need be. It is an error if there is one already. An empty dir keeps
// everything in memory, for demonstrations and tests.
func CreateAuthority(dir string, now func() time.Time) (*Authority, error) {
	a := newAuthority(dir, now)
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create a CA: %w", err)
		}
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, fmt.Errorf("create a CA: %w", err)
	}
	defer unlock()
	if dir != "" {
		if _, err := os.Stat(a.path("ca.pem")); err == nil {
			return nil, fmt.Errorf("create a CA: there is one already in %s", dir)
		}
	}
	if err := a.makeRoot(); err != nil {
		return nil, fmt.Errorf("create a CA: %w", err)
	}
	if dir == "" {
		return a, nil
	}
	key, err := encodeKey(a.key)
	if err == nil {
		err = durable.Write(a.path("ca.key"), key)
	}
	if err == nil { // last: it is what makes the folder a CA's
		err = durable.Write(a.path("ca.pem"), encodeCertificates(a.cert))
	}
	if err != nil {
		return nil, fmt.Errorf("create a CA: %w", err)
	}
	return a, nil
}

// LoadAuthority loads the CA in dir. The error is [fs.ErrNotExist] if there
// is none.
func LoadAuthority(dir string, now func() time.Time) (*Authority, error) {
	a := newAuthority(dir, now)
	text, err := os.ReadFile(a.path("ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("load the CA: %w", err)
	}
	certs, err := decodeCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("load the CA: %s: %w", a.path("ca.pem"), err)
	}
	a.cert, a.others = certs[0], certs[1:]
	text, err = os.ReadFile(a.path("ca.key"))
	if errors.Is(err, fs.ErrNotExist) { // with its certificate there, this is damage, not absence
		return nil, fmt.Errorf("load the CA: in %s lies a CA's certificate without its key", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("load the CA: %w", err)
	}
	a.key, err = decodeKey(text)
	if err != nil {
		return nil, fmt.Errorf("load the CA: %s: %w", a.path("ca.key"), err)
	}
	if !a.cert.IsCA || !sameKey(a.key.Public(), a.cert.PublicKey) {
		return nil, fmt.Errorf("load the CA: ca.key in %s is not the key of ca.pem", dir)
	}
	return a, a.ledger.refresh()
}

func newAuthority(dir string, now func() time.Time) *Authority {
	if now == nil {
		now = time.Now
	}
	a := &Authority{dir: dir, now: now}
	if dir != "" {
		a.ledger.path, a.tokens.path = a.path("certificates.ndjson"), a.path("tokens.json")
	}
	return a
}

// makeRoot makes the key and the certificate.
func (a *Authority) makeRoot() (err error) {
	if a.key, err = NewServerKey(); err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	from := a.now().Add(-backdate)
	cert := &x509.Certificate{
		SerialNumber: serial, NotBefore: from, NotAfter: from.Add(authorityTTL),
		Subject:               pkix.Name{CommonName: "muster CA " + serial.Text(16)[:8]},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, a.key.Public(), a.key)
	if err != nil {
		return err
	}
	a.cert, err = x509.ParseCertificate(der)
	return err
}

// newSerial returns a random serial number of 127 or 128 bits.
func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return serial.SetBit(serial, 126, 1), nil
}

// lock keeps other goroutines and processes out of the folder.
func (a *Authority) lock() (unlock func(), err error) {
	a.mu.Lock()
	if a.dir == "" {
		return a.mu.Unlock, nil
	}
	free, err := durable.Lock(a.path("lock"))
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	return func() { free(); a.mu.Unlock() }, nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// Certificate is the CA's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Fingerprint is the SHA-256 of the CA's certificate, as join lines hold it.
func (a *Authority) Fingerprint() string { return Fingerprint(a.cert) }

// Accepted are the CAs whose certificates are good here: this one, which signs,
// and the others in ca.pem, from before it or for after it.
func (a *Authority) Accepted() []*x509.Certificate {
	return append([]*x509.Certificate{a.cert}, a.others...)
}

// issued reports whether a certificate is from one of those CAs, as it says.
func (a *Authority) issued(cert *x509.Certificate) bool {
	return slices.ContainsFunc(a.Accepted(), func(ca *x509.Certificate) bool { return bytes.Equal(cert.RawIssuer, ca.RawSubject) })
}

// Roots returns a new pool with the certificates of the CAs in it.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, ca := range a.Accepted() {
		pool.AddCert(ca)
	}
	return pool
}
