package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"muster/internal/durable"
)

// KeyPair is what a machine or an operator proves itself with.
type KeyPair struct {
	Key   crypto.Signer
	Chain []*x509.Certificate // the certificate of Key, then any intermediate ones
	CA    []*x509.Certificate // whom to believe
	Site  Site                // what it was told when it joined; zero for Puppet's
}

// Site is what a joining machine is told of the site.
type Site struct {
	Server     string        `json:"server"`  // address of the registry
	Brokers    []string      `json:"brokers"` // stomp://HOST:PORT or stomp+ssl://HOST:PORT
	Login      string        `json:"login,omitempty"`
	Passcode   string        `json:"passcode,omitempty"`
	Collective string        `json:"collective,omitempty"`
	Interval   time.Duration `json:"-"` // between registrations, to the second; 0: it was not said
}

// siteFile is join.json.
type siteFile struct {
	Site
	Seconds int `json:"interval,omitempty"`
}

// Name is whom the certificate speaks for.
func (p *KeyPair) Name() string { return NameOf(p.Chain[0]) }

// Role is what the certificate's holder may be.
func (p *KeyPair) Role() Role { return RoleOf(p.Chain[0]) }

// Roots returns a new pool with the CAs in it.
func (p *KeyPair) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range p.CA {
		pool.AddCert(cert)
	}
	return pool
}

// TLS returns what a TLS connection presents.
func (p *KeyPair) TLS() tls.Certificate {
	out := tls.Certificate{PrivateKey: p.Key, Leaf: p.Chain[0]}
	for _, cert := range p.Chain {
		out.Certificate = append(out.Certificate, cert.Raw)
	}
	return out
}

// Save writes key.pem, ca.pem, join.json and cert.pem into dir, which is made
// if need be. After a crash the folder holds the old pair, the new one, or a
// key without a certificate, with which [Join] goes on; never a mixture.
func (p *KeyPair) Save(dir string) error {
	if err := p.save(dir); err != nil {
		return fmt.Errorf("save the certificate of %s: %w", p.Name(), err)
	}
	return nil
}

func (p *KeyPair) save(dir string) error {
	key, err := encodeKey(p.Key)
	if err != nil {
		return err
	}
	site, err := json.MarshalIndent(siteFile{p.Site, int(p.Site.Interval / time.Second)}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The certificate is what makes the folder a pair: gone before another
	// key comes, and written last.
	if old, err := LoadKeyPair(dir); err != nil || !sameKey(old.Key.Public(), p.Key.Public()) {
		if err := durable.Remove(filepath.Join(dir, "cert.pem")); err != nil {
			return err
		}
	}
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"key.pem", key},
		{"ca.pem", encodeCertificates(p.CA...)},
		{"join.json", append(site, '\n')},
		{"cert.pem", encodeCertificates(p.Chain...)},
	} {
		if err := durable.Write(filepath.Join(dir, file.name), file.data); err != nil {
			return err
		}
	}
	return nil
}

// LoadKeyPair reads what Save wrote. The error is [fs.ErrNotExist] if there is
// no certificate.
func LoadKeyPair(dir string) (*KeyPair, error) {
	p, err := loadFiles(filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "join.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load a certificate: %w", err)
	}
	var file siteFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("load a certificate: %s is damaged: %w", path, err)
	}
	p.Site = file.Site
	p.Site.Interval = time.Duration(file.Seconds) * time.Second
	return p, nil
}

// loadFiles reads a key, its certificate and the CA's, and checks that they
// belong together.
func loadFiles(keyPath, certPath, caPath string) (*KeyPair, error) {
	p := new(KeyPair)
	var err error
	// The certificate first: without one there is no pair.
	if p.Chain, err = loadCertificates(certPath); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, fmt.Errorf("load a key: %w", err)
	}
	if p.Key, err = decodeKey(text); err != nil {
		return nil, fmt.Errorf("load a key: %s: %w", keyPath, err)
	}
	if p.CA, err = loadCertificates(caPath); err != nil {
		return nil, err
	}
	if !sameKey(p.Key.Public(), p.Chain[0].PublicKey) {
		return nil, fmt.Errorf("load a certificate: %s is not the key of the certificate %s", keyPath, certPath)
	}
	return p, nil
}

func loadCertificates(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load a certificate: %w", err)
	}
	certs, err := decodeCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("load a certificate: %s: %w", path, err)
	}
	return certs, nil
}
