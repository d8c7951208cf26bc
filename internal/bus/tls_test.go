package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{pool: x509.NewCertPool()}
	made := a.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.pool.AddCert(made.Leaf)
	return a
}

func (a *authority) issue(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	if a.key == nil {
		a.key, a.cert = key, template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == template {
		a.cert = leaf
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func server(names ...string) *x509.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		}
	}
	return c
}

func node(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// byCertificate lets in whoever has a verified certificate, as the node it names.
func byCertificate(c Credentials) (Principal, error) {
	if c.Certificate == nil {
		return Principal{}, errors.New("no certificate")
	}
	return Principal{Role: RoleNode, Name: c.Certificate.Subject.CommonName}, nil
}

func startTLS(t *testing.T, b *Broker, cert tls.Certificate, clients *x509.CertPool) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, b, l)
	return l.Addr().String()
}

func TestTLSWithClientCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	address := startTLS(t, &Broker{Authenticate: byCertificate}, ca.issue(t, server("127.0.0.1")), ca.pool)

	for _, c := range []struct {
		name string
		tls  *tls.Config
		want string // in the status; empty: connects
	}{
		{"with a certificate", &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.issue(t, node("web1"))}}, ""},
		{"without one", &tls.Config{RootCAs: ca.pool}, "access refused"},
		{"with another CA's", &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{other.issue(t, node("web1"))}}, "logging in to stomp+ssl://"},
		{"trusting another CA", &tls.Config{RootCAs: other.pool}, "certificate signed by unknown authority"},
		{"trusting nobody in particular", nil, "certificate signed by unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := run(t, address, "", func(config *Config) {
				config.Brokers, config.TLS = []string{"stomp+ssl://" + address}, c.tls
			})
			if c.want != "" {
				waitForError(t, client, c.want)
				return
			}
			got := listen(t, client, Subscription{Destination: "/exchange/mcollective_directed/web1"})
			if err := client.Publish(soon(t), Message{Destination: "/exchange/mcollective_directed/web1"}); err == nil {
				t.Error("the certificate's role was not applied")
			}
			_ = got
		})
	}
}

// A broker that cannot prove its name is not talked to.
func TestTLSOfTheWrongBroker(t *testing.T) {
	ca := newAuthority(t)
	expired := server("127.0.0.1")
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	client := node("127.0.0.1")
	client.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		want string
	}{
		{"another name", server("broker.example.com"), "127.0.0.1"},
		{"expired", expired, "expired"},
		{"a client's certificate", client, "incompatible key usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := startTLS(t, &Broker{}, ca.issue(t, c.cert), ca.pool)
			client := run(t, address, "client", func(config *Config) {
				config.Brokers, config.TLS = []string{"stomp+ssl://" + address}, &tls.Config{RootCAs: ca.pool}
			})
			waitForError(t, client, c.want)
		})
	}
}

// Plain STOMP to a TLS listener and TLS to a plain one end in time, in words.
func TestTLSMismatch(t *testing.T) {
	ca := newAuthority(t)
	secure := startTLS(t, &Broker{}, ca.issue(t, server("127.0.0.1")), ca.pool)
	waitForError(t, run(t, secure, "client"), "logging in to stomp://"+secure)
	plain, _ := start(t, &Broker{})
	client := run(t, plain, "client", func(c *Config) { c.Brokers = []string{"stomp+ssl://" + plain} })
	waitForError(t, client, "does not look like a TLS handshake")
}

// waitForError waits until the client's status holds the words.
func waitForError(t *testing.T, c *Client, words string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s := c.Status()
		if strings.Contains(s.LastError, words) {
			if s.ErrorAt.IsZero() {
				t.Errorf("status %+v", s)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("status says %q, want %q", s.LastError, words)
		}
	}
}
