package pki_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// puppetSite is an ssldir as Puppet lays it out since version 6: RSA keys, an
// intermediate CA, both CAs in ca.pem and the lists of both in crl.pem.
type puppetSite struct {
	t        *testing.T
	dir      string
	at       time.Time
	serial   int64
	key      *rsa.PrivateKey // of both CAs: to make one takes long
	root, ca *x509.Certificate
}

func newPuppetSite(t *testing.T, at time.Time, names ...string) *puppetSite {
	t.Helper()
	p := &puppetSite{t: t, dir: t.TempDir(), at: at}
	for _, folder := range []string{"private_keys", "certs"} {
		if err := os.Mkdir(filepath.Join(p.dir, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	p.key = p.newKey()
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			SubjectKeyId: []byte(name),
		}
	}
	root := ca("Puppet Root CA: 0123")
	p.root = p.sign(root, root, p.key.Public())
	p.ca = p.sign(ca("Puppet CA: puppet.acme.net"), p.root, p.key.Public())
	p.write("certs/ca.pem", "CERTIFICATE", p.ca.Raw, p.root.Raw)
	for _, name := range names {
		key := p.newKey()
		cert := p.sign(&x509.Certificate{
			Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, p.ca, key.Public())
		p.write("private_keys/"+name+".pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
		p.write("certs/"+name+".pem", "CERTIFICATE", cert.Raw)
	}
	p.revoke()
	return p
}

func (p *puppetSite) newKey() *rsa.PrivateKey {
	p.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

func (p *puppetSite) sign(cert, parent *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	p.t.Helper()
	p.serial++
	cert.SerialNumber = big.NewInt(p.serial)
	cert.NotBefore, cert.NotAfter = p.at.Add(-time.Hour), p.at.Add(time.Hour)
	cert.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	return mustParse(p.t, der)
}

// revoke writes crl.pem, with these certificates on the list of the CA.
func (p *puppetSite) revoke(serials ...int64) {
	p.t.Helper()
	list := func(by *x509.Certificate, serials []int64) []byte {
		p.serial++
		template := &x509.RevocationList{Number: big.NewInt(p.serial), ThisUpdate: p.at.Add(-time.Hour), NextUpdate: p.at.Add(time.Hour)}
		for _, serial := range serials {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: p.at})
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, by, p.key)
		if err != nil {
			p.t.Fatal(err)
		}
		return der
	}
	p.write("crl.pem", "X509 CRL", list(p.ca, serials), list(p.root, nil))
}

func (p *puppetSite) write(path, kind string, blocks ...[]byte) {
	p.t.Helper()
	var text bytes.Buffer
	for _, block := range blocks {
		if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: block}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, path), text.Bytes(), 0o640); err != nil {
		p.t.Fatal(err)
	}
}
