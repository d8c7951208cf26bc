package cli_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/cli"
)

// puppetCA signs as Puppet's CA does: the name in the CN, nothing else.
type puppetCA struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newPuppetCA(t *testing.T) *puppetCA {
	t.Helper()
	ca := &puppetCA{t: t}
	ca.key, ca.cert = ca.sign("Puppet CA: test", true)
	return ca
}

func (ca *puppetCA) sign(name string, isCA bool) (*ecdsa.PrivateKey, *x509.Certificate) {
	ca.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: isCA,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, by := ca.cert, ca.key
	if isCA {
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		ca.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatal(err)
	}
	return key, cert
}

// host writes the ssl folder of one host and returns it.
func (ca *puppetCA) host(name string) string {
	ca.t.Helper()
	key, cert := ca.sign(name, false)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
	}, ca.cert, ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	dir := ca.t.TempDir()
	for file, block := range map[string]*pem.Block{
		"private_keys/" + name + ".pem": {Type: "PRIVATE KEY", Bytes: der},
		"certs/" + name + ".pem":        {Type: "CERTIFICATE", Bytes: cert.Raw},
		"certs/ca.pem":                  {Type: "CERTIFICATE", Bytes: ca.cert.Raw},
		"crl.pem":                       {Type: "X509 CRL", Bytes: crl},
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			ca.t.Fatal(err)
		}
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			ca.t.Fatal(err)
		}
	}
	return dir
}

// A site with Puppet's certificates needs no joining: the line that serve
// prints works as it is, and so does the command line on the same host.
func TestPuppetsCertificatesWorkAsTheyAre(t *testing.T) {
	ca := newPuppetCA(t)
	w := &world{dir: t.TempDir(), env: map[string]string{}}
	w.env["MUSTER_RUN_FILE"] = filepath.Join(w.dir, "run.json")
	conf := filepath.Join(w.dir, "muster.yaml")
	settings := "agent:\n  facter: off\n  splay: 1ms\n  registries: [registry.example.net]\n  operators: [registry.example.net]\nserve:\n  tls: true\n"
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var log lockedBuffer
	done := make(chan int, 2)
	start := func(args ...string) {
		go func() { done <- cli.Run(ctx, w.surroundings(append([]string{"--config", conf}, args...), &log, &log)) }()
	}
	defer func() {
		cancel()
		for range 2 {
			if status := <-done; status != 0 {
				t.Errorf("a server ended with status %d:\n%s", status, log.String())
			}
		}
	}()
	start("serve", "--puppet", ca.host("registry.example.net"), "--data", filepath.Join(w.dir, "serve"),
		"--listen", "127.0.0.1:0", "--stomp-listen", "127.0.0.1:0")
	broker := awaitText(t, &log, "--broker ")
	ssl := ca.host("web1.example.net")
	start("agent", "--puppet", ssl, "--broker", broker, "--data", filepath.Join(w.dir, "node"))
	awaitText(t, &log, "msg=registered node=")

	for _, command := range [][]string{
		{"muster", "--config", conf, "find", "-I", "web1.example.net"},
		{"muster", "--config", conf, "ping", "-I", "web1.example.net"},
	} {
		if r := w.run(t, command...); r.status != 0 || !strings.HasPrefix(r.stdout, "web1.example.net") {
			t.Errorf("%q: status %d, %q, %q\n%s", command, r.status, r.stdout, r.stderr, log.String())
		}
	}
	stranger := newPuppetCA(t).host("web2.example.net")
	ctx2, cancel2 := context.WithTimeout(ctx, 3*time.Second)
	defer cancel2()
	var out lockedBuffer
	args := []string{"--config", conf, "agent", "--puppet", stranger, "--broker", broker, "--data", filepath.Join(w.dir, "node2"), "--once"}
	if status := cli.Run(ctx2, w.surroundings(args, &out, &out)); status == 0 {
		t.Errorf("a node of another CA registered: %s", out.String())
	}
}

// awaitText waits until the log holds a text, and returns the word behind it.
func awaitText(t *testing.T, log *lockedBuffer, text string) string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if _, rest, ok := strings.Cut(log.String(), text); ok && strings.Contains(rest, "\n") {
			return strings.Fields(rest)[0]
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%q was not said:\n%s", text, log.String())
	return ""
}
