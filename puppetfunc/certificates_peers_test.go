//go:build peers

package puppetfunc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
)

// puppetCA is an authority such as Puppet's own: RSA keys, and a CRL.
type puppetCA struct {
	cert  *x509.Certificate
	key   *rsa.PrivateKey
	above *puppetCA // nil: a root
}

func newPuppetCA(t *testing.T) *puppetCA {
	t.Helper()
	return newCA(t, nil)
}

// newCA makes a root, or an authority below another, as puppetserver's own is.
func newCA(t *testing.T, above *puppetCA) *puppetCA {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Puppet CA: " + certname},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	c := &puppetCA{cert: ca, key: key, above: above}
	by := c
	if above != nil {
		ca.Subject.CommonName += ", below"
		by = above
	}
	der := by.sign(t, ca, &key.PublicKey)
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *puppetCA) sign(t *testing.T, cert *x509.Certificate, public *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, c.cert, public, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (c *puppetCA) issue(t *testing.T, serial int64, name string) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := c.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (c *puppetCA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

// revoke returns the CRL that names these serial numbers.
func (c *puppetCA) revoke(t *testing.T, serials ...int64) string {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, c.cert, c.key)
	if err != nil {
		t.Fatal(err)
	}
	if c.above != nil {
		return block("X509 CRL", der) + c.above.revoke(t)
	}
	return block("X509 CRL", der)
}

// bundle is the certificates of the authority and those above it.
func (c *puppetCA) bundle() string {
	if c.above != nil {
		return block("CERTIFICATE", c.cert.Raw) + c.above.bundle()
	}
	return block("CERTIFICATE", c.cert.Raw)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// enrol puts into p what an agent has once its certificate is signed.
func (c *puppetCA) enrol(t *testing.T, p puppet, own tls.Certificate, crl string) {
	t.Helper()
	c.enrolAs(t, certname, filepath.Join(p.conf, "ssl"), own, crl)
}

func (c *puppetCA) enrolAs(t *testing.T, name, ssldir string, own tls.Certificate, crl string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(ssldir, "certs/ca.pem"), c.bundle())
	write(t, filepath.Join(ssldir, "certs", name+".pem"), block("CERTIFICATE", own.Certificate[0]))
	write(t, filepath.Join(ssldir, "private_keys", name+".pem"), block("PRIVATE KEY", key))
	write(t, filepath.Join(ssldir, "crl.pem"), crl)
}

// search_nodes shows Puppet's own certificate, checks the server's, and the
// server decides by the name in it.
func TestSearchNodesWithPuppetsCertificates(t *testing.T) {
	t.Parallel()
	ca, stranger := newPuppetCA(t), newPuppetCA(t)
	own, server := ca.issue(t, 2, certname), ca.issue(t, 3, "muster.example.net")
	serve := func(server tls.Certificate, roles map[string]api.Role) string {
		s, err := api.New(api.Config{
			Registry: fleet(t), Roles: roles, Log: slog.New(slog.DiscardHandler),
			TLS: &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: ca.pool()},
		})
		if err != nil {
			t.Fatal(err)
		}
		return "https://" + run(t, s)
	}
	listed := map[string]api.Role{certname: api.Forwarder}
	table := []struct {
		name, url, crl string
		says           string // empty: it is answered
	}{
		{"a listed puppetserver", serve(server, listed), ca.revoke(t), ""},
		{"a node like any other", serve(server, nil), ca.revoke(t), "HTTP 403: " + certname + " has the role node"},
		{"a server of another authority", serve(stranger.issue(t, 3, "muster.example.net"), listed), ca.revoke(t), "certificate verify failed"},
		{"a server that was revoked", serve(server, listed), ca.revoke(t, 3), "certificate revoked"},
		{"a server under another name", strings.Replace(serve(server, listed), "127.0.0.1", "localhost", 1), ca.revoke(t), "hostname"},
		{"a CRL of another authority", serve(server, listed), stranger.revoke(t), "must hold the same authorities"},
	}
	var codes []code
	for _, test := range table {
		p := newPuppet(t, "server: "+test.url+"\n")
		ca.enrol(t, p, own, test.crl)
		codes = append(codes, code{in: p, text: "search_nodes('apache')"})
	}
	for i, r := range evaluate(t, codes...) {
		test := table[i]
		if test.says == "" && string(r.Value) != `["web1.acme.net"]` {
			t.Errorf("%s gave %s %s", test.name, r.Value, r.Error)
		}
		if test.says != "" && (r.Value != nil || !strings.Contains(r.Error, test.says)) {
			t.Errorf("%s gave %s %q, want an error with %q", test.name, r.Value, r.Error, test.says)
		}
	}
	// Where Puppet's authority is below a root, and the server knows the root alone.
	below := newCA(t, ca)
	p := newPuppet(t, "server: "+serve(server, listed)+"\n")
	below.enrol(t, p, below.issue(t, 2, certname), below.revoke(t))
	if r := evaluate(t, code{in: p, text: "search_nodes('apache')"})[0]; string(r.Value) != `["web1.acme.net"]` {
		t.Errorf("an authority below a root gave %s %s", r.Value, r.Error)
	}
	out, complaint, status := codes[0].in.apply(t, `$m = search_nodes('apache') notice($m)`)
	if got := notices(out); status != 0 || len(got) != 1 || got[0] != "[web1.acme.net]" {
		t.Errorf("puppet apply gave %q, status %d\n%s", got, status, complaint)
	}
}

// Where Puppet's certificates do not serve, muster's own do.
func TestSearchNodesWithOtherCertificates(t *testing.T) {
	t.Parallel()
	ca := newPuppetCA(t)
	s, err := api.New(api.Config{
		Registry: fleet(t), Roles: map[string]api.Role{"reader1": api.Reader}, Log: slog.New(slog.DiscardHandler),
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, 2, "muster.example.net")}, ClientCAs: ca.pool()},
	})
	if err != nil {
		t.Fatal(err)
	}
	own := ca.issue(t, 3, "reader1")
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p := newPuppet(t, "")
	settings := "server: https://" + run(t, s) + "\nssl:\n" +
		"  ca: " + p.write(t, "own/ca.pem", block("CERTIFICATE", ca.cert.Raw)) + "\n" +
		"  cert: " + p.write(t, "own/cert.pem", block("CERTIFICATE", own.Certificate[0])) + "\n" +
		"  key: " + p.write(t, "own/key.pem", block("PRIVATE KEY", key)) + "\n"
	p.write(t, "muster.yaml", settings)
	if r := evaluate(t, code{in: p, text: "search_nodes('apache')"})[0]; string(r.Value) != `["web1.acme.net"]` {
		t.Errorf("gave %s %s", r.Value, r.Error)
	}
}
