//go:build peers

package pki_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/pki"
)

// Ruby's OpenSSL, as Puppet uses it, takes the server's certificate, and its
// own, with an Ed25519 key, is taken.
func TestRubyTakesOurCertificates(t *testing.T) {
	authority, err := pki.CreateAuthority("", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", pki.NameOf(r.TLS.PeerCertificates[0]), pki.RoleOf(r.TLS.PeerCertificates[0]))
	}))
	cert, err := authority.IssueServer(pki.Grant{Name: "registry", Role: pki.RoleRegistry})
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: authority.Roots(), ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	if err := newPair(t, authority, "web1").Save(dir); err != nil {
		t.Fatal(err)
	}
	port := server.URL[strings.LastIndex(server.URL, ":")+1:]
	for _, host := range []string{"127.0.0.1", "localhost"} {
		for _, version := range []string{"TLS1_2", "TLS1_3"} {
			out, err := exec.CommandContext(t.Context(), "ruby", "-ropenssl", "-rnet/http", "-e", `
				http = Net::HTTP.new(ARGV[0], ARGV[1].to_i)
				http.use_ssl = true
				http.min_version = http.max_version = OpenSSL::SSL.const_get(ARGV[2] + "_VERSION")
				http.ca_file = ARGV[3] + "/ca.pem"
				http.cert = OpenSSL::X509::Certificate.new(File.read(ARGV[3] + "/cert.pem"))
				http.key = OpenSSL::PKey.read(File.read(ARGV[3] + "/key.pem"))
				print http.get("/").body`, host, port, version, dir).CombinedOutput()
			if err != nil || string(out) != "web1 node" {
				t.Errorf("%s, %s: got %s, %v", host, version, out, err)
			}
		}
	}
}

// The ssldir of these tests is one that Puppet itself finds right, with and
// without a revoked certificate, and we agree.
func TestPuppetAgrees(t *testing.T) {
	site := newPuppetSite(t, time.Now(), "web1.acme.net")
	verify := func() (string, error) {
		home := t.TempDir()
		command := exec.CommandContext(t.Context(), "puppet", "ssl", "verify", "--certname", "web1.acme.net",
			"--ssldir", site.dir, "--confdir", filepath.Join(home, "conf"), "--vardir", filepath.Join(home, "var"))
		out, err := command.CombinedOutput()
		return string(out), err
	}
	pair, err := pki.LoadPuppet(site.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	crl, err := pki.OpenCRL(filepath.Join(site.dir, "crl.pem"), pair.CA, nil)
	if err != nil || crl.IsRevoked(pair.Chain[0]) {
		t.Fatalf("got %v, revoked", err)
	}
	if out, err := verify(); err != nil {
		t.Errorf("Puppet says: %s", out)
	}
	site.revoke(pair.Chain[0].SerialNumber.Int64())
	if crl, err = pki.OpenCRL(filepath.Join(site.dir, "crl.pem"), pair.CA, nil); err != nil || !crl.IsRevoked(pair.Chain[0]) {
		t.Errorf("got %v, not revoked", err)
	}
	if out, err := verify(); err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("Puppet says: %v, %s", err, out)
	}
}
