package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
//
// While one CA follows another ([Authority.Rotate]) it is both of them.
type Authority struct {
	dir    string // empty: nothing is kept
	now    func() time.Time
	held   atomic.Pointer[authorities]
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
	root, err := a.newRoot()
	if err != nil {
		return nil, fmt.Errorf("create a CA: %w", err)
	}
	if err := a.keep(root); err != nil {
		return nil, fmt.Errorf("create a CA: %w", err)
	}
	return a, nil
}

// LoadAuthority loads the CA in dir. The error is [fs.ErrNotExist] if there
// is none.
func LoadAuthority(dir string, now func() time.Time) (*Authority, error) {
	a := newAuthority(dir, now)
	held, err := a.load()
	if err != nil {
		return nil, fmt.Errorf("load the CA: %w", err)
	}
	a.held.Store(held)
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

// newRoot makes a CA's key and certificate.
func (a *Authority) newRoot() (root, error) {
	key, err := NewServerKey()
	if err != nil {
		return root{}, err
	}
	serial, err := newSerial()
	if err != nil {
		return root{}, err
	}
	from := a.now().Add(-backdate)
	cert := &x509.Certificate{
		SerialNumber: serial, NotBefore: from, NotAfter: from.Add(authorityTTL),
		Subject:               pkix.Name{CommonName: "muster CA " + serial.Text(16)[:8]},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return root{}, err
	}
	cert, err = x509.ParseCertificate(der)
	return root{cert, key}, err
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
