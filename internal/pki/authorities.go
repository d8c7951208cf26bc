package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"muster/internal/durable"
)

// root is a CA that can sign: its certificate and its key.
type root struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// authorities are the CAs of a folder as it was when they were read; what a
// pointer to it leads to never changes.
type authorities struct {
	file     fs.FileInfo         // of ca.pem; nil: memory only
	accepted []*x509.Certificate // the one that signs first
	roots    []root              // those of them whose keys are here too
	pool     *x509.CertPool      // accepted
}

// signs is the CA that nodes get their certificates from.
func (h *authorities) signs() root { return h.roots[0] }

// shows is the CA that the registry has its own certificates from. While one CA
// follows another that is the older one, which all nodes believe.
func (h *authorities) shows() root { return h.roots[len(h.roots)-1] }

func newAuthorities(file fs.FileInfo, accepted []*x509.Certificate, roots []root) *authorities {
	h := &authorities{file: file, accepted: accepted, roots: roots, pool: x509.NewCertPool()}
	for _, ca := range accepted {
		h.pool.AddCert(ca)
	}
	return h
}

// current are the CAs of the folder now. If they can not be read, those that
// were last read.
func (a *Authority) current() *authorities {
	held := a.held.Load()
	if a.dir == "" {
		return held
	}
	info, err := os.Stat(a.path("ca.pem"))
	if err != nil || os.SameFile(info, held.file) && info.ModTime().Equal(held.file.ModTime()) && info.Size() == held.file.Size() {
		return held
	}
	fresh, err := a.load()
	if err != nil || !a.held.CompareAndSwap(held, fresh) {
		return a.held.Load()
	}
	return fresh
}

// load reads ca.pem and ca.key, which may hold several of each.
func (a *Authority) load() (*authorities, error) {
	info, err := os.Stat(a.path("ca.pem")) // before it is read, so that a change since is seen
	if err != nil {
		return nil, err
	}
	accepted, err := loadCertificates(a.path("ca.pem"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(a.path("ca.key"))
	if errors.Is(err, fs.ErrNotExist) { // with its certificate there, this is damage, not absence
		return nil, fmt.Errorf("in %s lies a CA's certificate without its key", a.dir)
	}
	if err != nil {
		return nil, err
	}
	keys, err := decodeKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.path("ca.key"), err)
	}
	var roots []root
	for _, cert := range accepted {
		i := slices.IndexFunc(keys, func(key crypto.Signer) bool { return cert.IsCA && sameKey(key.Public(), cert.PublicKey) })
		if i >= 0 {
			roots = append(roots, root{cert, keys[i]})
		}
	}
	if len(roots) == 0 || roots[0].cert != accepted[0] {
		return nil, fmt.Errorf("ca.key in %s is not the key of ca.pem", a.dir)
	}
	return newAuthorities(info, accepted, roots), nil
}

// keep makes these the CAs, the one that signs first, on the disk before they
// count. After a crash the folder holds the CAs from before or these.
func (a *Authority) keep(roots ...root) error {
	var accepted []*x509.Certificate
	for _, r := range roots {
		accepted = append(accepted, r.cert)
	}
	if a.dir == "" {
		a.held.Store(newAuthorities(nil, accepted, roots))
		return nil
	}
	all := roots
	if held := a.held.Load(); held != nil {
		all = slices.Concat(roots, held.roots) // until ca.pem is written its keys are needed
	}
	if err := a.writeKeys(all); err != nil {
		return err
	}
	// What makes the folder these CAs'.
	if err := durable.Write(a.path("ca.pem"), encodeCertificates(accepted...)); err != nil {
		return err
	}
	if len(all) > len(roots) {
		if err := a.writeKeys(roots); err != nil {
			return err
		}
	}
	held, err := a.load()
	if err != nil {
		return err
	}
	a.held.Store(held)
	return nil
}

func (a *Authority) writeKeys(roots []root) error {
	var text []byte
	for _, r := range roots {
		key, err := encodeKey(r.key)
		if err != nil {
			return err
		}
		text = append(text, key...)
	}
	return durable.Write(a.path("ca.key"), text)
}

// decodeKeys reads all private keys in text; none is an error.
func decodeKeys(text []byte) ([]crypto.Signer, error) {
	var keys []crypto.Signer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := decodeKey(pem.EncodeToMemory(block))
		if errors.Is(err, errNoKey) {
			continue // EC PARAMETERS, say
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, nil
}

// Certificate is the certificate of the CA that the registry shows.
func (a *Authority) Certificate() *x509.Certificate { return a.current().shows().cert }

// Fingerprint is the SHA-256 of that certificate, as join lines hold it.
func (a *Authority) Fingerprint() string { return Fingerprint(a.Certificate()) }

// Accepted are the CAs whose certificates are good here: the one that signs, and
// the others in ca.pem, from before it or for after it.
func (a *Authority) Accepted() []*x509.Certificate { return slices.Clone(a.current().accepted) }

// issued reports whether a certificate is from one of those CAs, as it says.
func (a *Authority) issued(cert *x509.Certificate) bool {
	return slices.ContainsFunc(a.current().accepted, func(ca *x509.Certificate) bool { return bytes.Equal(cert.RawIssuer, ca.RawSubject) })
}

// Roots returns the pool with those CAs in it: the same one until they change.
// It is not to be added to.
func (a *Authority) Roots() *x509.CertPool { return a.current().pool }
