package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/internal/pki"
	"muster/registry"
)

// castle is a server over TLS with a real registry, as an attacker meets it.
type castle struct {
	t        *testing.T
	site     *site
	url      string
	registry *registry.Registry
	tokens   *api.TokenStore
	log      *bytes.Buffer
}

func newCastle(t *testing.T, change func(*api.Config)) *castle {
	t.Helper()
	c := &castle{t: t, site: newSite(t), log: &bytes.Buffer{}}
	var err error
	if c.registry, err = registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.registry.Close(); err != nil {
			t.Error(err)
		}
	})
	c.tokens = &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	conf := api.Config{Registry: c.registry, Tokens: c.tokens, Revoked: c.site.IsRevoked}
	if change != nil {
		change(&conf)
	}
	c.url = c.site.serveTLS(t, conf)
	return c
}

// caller is somebody with a certificate, a token, or nothing.
type caller struct {
	cert  *tls.Certificate
	token string
}

func (c *castle) holds(g pki.Grant) caller {
	cert := c.site.client(c.t, g)
	return caller{cert: &cert}
}

func (c *castle) bears(name string, role api.Role, g api.Grant) caller {
	secret, err := c.tokens.Grant(name, role, 0, g)
	if err != nil {
		c.t.Fatal(err)
	}
	return caller{token: secret}
}

// client talks to the server as somebody.
func (c *castle) client(by caller) *http.Client {
	c.t.Helper()
	present := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if by.cert == nil {
			return &tls.Certificate{}, nil
		}
		return by.cert, nil
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.site.Roots(), GetClientCertificate: present}}
	c.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// send returns 0 where there is no handshake.
func (c *castle) send(by caller, method, path, body string) (int, string) {
	c.t.Helper()
	client := c.client(by)
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if by.token != "" {
		r.Header.Set("Authorization", "Bearer "+by.token)
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	conforms(c.t, method, path, res.StatusCode, res.Header.Get("Content-Type"), text)
	return res.StatusCode, string(text)
}

func (c *castle) record(id string) string {
	n, ok := c.registry.Node(id)
	if !ok {
		return ""
	}
	return string(registry.AppendRecord(nil, &n))
}

// otherCA signs whatever it is asked to.
type otherCA struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newOtherCA(t *testing.T) *otherCA {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &otherCA{key: key}
	ca.cert = ca.sign(t, "Puppet CA: new", nil, key.Public(), time.Hour)
	return ca
}

func (ca *otherCA) sign(t *testing.T, name string, parent *x509.Certificate, public any, ttl time.Duration, extensions ...pkix.Extension) *x509.Certificate {
	t.Helper()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ttl), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, ExtraExtensions: extensions,
	}
	if parent == nil {
		parent, cert.IsCA, cert.KeyUsage, cert.ExtKeyUsage = cert, true, x509.KeyUsageCertSign, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return cert
}

func (ca *otherCA) holds(t *testing.T, name string, ttl time.Duration, extensions ...pkix.Extension) caller {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := ca.sign(t, name, ca.cert, public, ttl, extensions...)
	return caller{cert: &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}}
}

// Who may speak for whom, over every kind of credentials, as one table: for the
// victim nobody but itself, those who are listed for it, and administrators.
func TestThreatT1OverHTTP(t *testing.T) {
	const victim, mallory = "db1.acme.net", "mallory.acme.net"
	c := newCastle(t, func(conf *api.Config) {
		conf.Forwarders = map[string][]string{"puppet1.acme.net": {"*.acme.net"}, "puppet2.acme.net": {"*.other.net", "mallory.*"}, "puppet3.acme.net": nil}
		conf.Roles = map[string]api.Role{"boss": api.Admin}
	})
	gone := c.holds(pki.Grant{Name: "db1.acme.net"})
	if _, err := c.site.Revoke("db1.acme.net"); err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct {
		name                        string
		by                          caller
		forVictim, forItself, forNo int // the status where it names the victim, mallory, nobody
	}{
		{"nobody", caller{}, 401, 401, 401},
		{"a guessed token", caller{token: "mst_guess"}, 401, 401, 401},
		{"a node's token", c.bears(mallory, api.NodeRole, api.Grant{}), 400, 200, 200},
		{"a forwarder for others", c.holds(pki.Grant{Name: "puppet2.acme.net"}), 400, 200, 400},
		{"a forwarder's token for others", c.bears("fwd2", api.Forwarder, api.Grant{For: []string{"mallory.acme.net"}}), 400, 200, 400},
		{"a forwarder for it", c.holds(pki.Grant{Name: "puppet1.acme.net"}), 200, 200, 400},
		{"a forwarder for any", c.holds(pki.Grant{Name: "puppet3.acme.net"}), 200, 200, 400},
		{"a node's certificate", c.holds(pki.Grant{Name: mallory}), 400, 200, 200},
		{"a node's certificate in capitals", c.holds(pki.Grant{Name: "MALLORY.acme.net"}), 400, 200, 200},
		{"a revoked certificate of the victim", gone, 401, 401, 401},
		{"a certificate of another CA", newOtherCA(t).holds(t, victim, time.Hour), 0, 0, 0},
		{"a reader", c.bears("reader", api.Reader, api.Grant{}), 403, 403, 403},
		{"an operator", c.holds(pki.Grant{Name: "op", Role: pki.RoleOperator}), 403, 403, 403},
		{"a registry", c.holds(pki.Grant{Name: "reg", Role: pki.RoleRegistry}), 403, 403, 403},
		{"an administrator", c.holds(pki.Grant{Name: "boss"}), 200, 200, 400},
		{"the victim", c.holds(pki.Grant{Name: victim}), 200, 400, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, spelt := range []struct {
				identity string
				want     int
			}{{victim, test.forVictim}, {"DB1.ACME.NET", test.forVictim}, {mallory, test.forItself}, {"", test.forNo}} {
				refusals, before := len(c.registry.Rejected()), c.record(victim)
				body := fmt.Sprintf(`{"facts":{"turn":"%d"}}`, i)
				if spelt.identity != "" {
					body = fmt.Sprintf(`{"identity":%q,"facts":{"turn":"%d","fqdn":"db1.acme.net"}}`, spelt.identity, i)
				}
				status, text := c.send(test.by, "POST", "/v1/registrations", body)
				if status != spelt.want {
					t.Errorf("registering as %q answered %d %s, want %d", spelt.identity, status, text, spelt.want)
				}
				changed := c.record(victim) != before
				if mayChange := spelt.want == 200 && (strings.EqualFold(spelt.identity, victim) || spelt.identity == "" && test.name == "the victim"); changed && !mayChange {
					t.Errorf("registering as %q changed the victim's record:\n%s\n%s", spelt.identity, before, c.record(victim))
				}
				if status == 400 && len(c.registry.Rejected()) != refusals+1 {
					t.Errorf("the refusal of %q is not listed", spelt.identity)
				}
			}
		})
	}
	if status, _ := c.send(caller{}, "GET", "/v1/nodes/db1.acme.net", ""); status != 401 {
		t.Errorf("nobody may read nodes, but got %d", status)
	}
}

// Every way of saying what a certificate is for agrees with what it may do.
func TestThreatT2TrustedFactsOverHTTP(t *testing.T) {
	ca := newOtherCA(t)
	c := newCastle(t, func(conf *api.Config) {
		conf.TLS = &tls.Config{ClientCAs: x509.NewCertPool()}
		conf.TLS.ClientCAs.AddCert(ca.cert)
		conf.Forwarders = map[string][]string{"puppet1": nil}
	})
	text, err := asn1.MarshalWithParams("web", "utf8")
	if err != nil {
		t.Fatal(err)
	}
	role := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 34380, 1, 1, 13}, Value: text}
	const says = `{"identity":"web1","trusted":{"pp_role":"said","extensions":{"pp_role":"said"}},"facts":{"trusted":{"pp_role":"lie"}}}`
	shown := func() string {
		n, _ := c.registry.Node("web1")
		return string(registry.AppendJSON(nil, n.Trusted))
	}
	for _, test := range []struct {
		name string
		by   caller
		want string
	}{
		{"the node's token proves nothing of it", c.bears("web1", api.NodeRole, api.Grant{}), `{}`},
		{"an operator's word", c.bears("boss", api.Admin, api.Grant{}), `{"extensions":{"pp_role":"said"},"pp_role":"said"}`},
		{"a forwarder's word", ca.holds(t, "puppet1", time.Hour), `{"extensions":{"pp_role":"said"},"pp_role":"said"}`},
		{"the node's certificate", ca.holds(t, "web1", time.Hour, role), `{"certname":"web1","extensions":{"pp_role":"web"},"pp_role":"web"}`},
		{"an operator's word counts less", c.bears("boss2", api.Admin, api.Grant{}), `{"certname":"web1","extensions":{"pp_role":"web"},"pp_role":"web"}`},
		{"a certificate without", ca.holds(t, "web1", time.Hour), `{}`},
	} {
		if status, answer := c.send(test.by, "POST", "/v1/registrations", says); status != 200 {
			t.Errorf("%s: answered %d %s", test.name, status, answer)
		}
		if got := shown(); got != test.want {
			t.Errorf("%s: trusted facts are %s, want %s", test.name, got, test.want)
		}
		n, _ := c.registry.Node("web1")
		if n.Facts["trusted"] != nil {
			t.Errorf("%s: the node's own word is kept: %v", test.name, n.Facts)
		}
	}
}

// While one CA follows another the certificates of both are good; afterwards
// those of the old one are not.
func TestThreatT10TwoAuthoritiesAreAcceptedWhileOneFollowsTheOther(t *testing.T) {
	old, next := newOtherCA(t), newOtherCA(t)
	for _, test := range []struct {
		accepted []*otherCA
		want     [2]int
	}{{[]*otherCA{old}, [2]int{200, 0}}, {[]*otherCA{old, next}, [2]int{200, 200}}, {[]*otherCA{next}, [2]int{0, 200}}} {
		c := newCastle(t, func(conf *api.Config) {
			conf.TLS = &tls.Config{ClientCAs: x509.NewCertPool()}
			for _, ca := range test.accepted {
				conf.TLS.ClientCAs.AddCert(ca.cert)
			}
		})
		for i, ca := range []*otherCA{old, next} {
			if status, text := c.send(ca.holds(t, "web1", time.Hour), "POST", "/v1/registrations", `{"facts":{"a":1}}`); status != test.want[i] {
				t.Errorf("%d authorities: answered %d %s, want %d", len(test.accepted), status, text, test.want[i])
			}
		}
		if status, _ := c.send(old.holds(t, "web1", -time.Hour), "POST", "/v1/registrations", `{}`); status != 0 {
			t.Errorf("an expired certificate answered %d", status)
		}
	}
}

// A server whose certificate is not to be believed is not talked to by clients
// that verify, which ours do; here it is proven from the server's side that it
// speaks nothing but TLS.
func TestThreatT10NothingIsSaidInTheClear(t *testing.T) {
	c := newCastle(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/search HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(answer), "HTTP/1.0 400") || strings.Contains(string(answer), "nodes") {
		t.Errorf("answered %q", answer)
	}
	s, err := api.New(api.Config{Registry: c.registry})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), l); err == nil {
		t.Error("it was served off loopback without TLS")
	}
}
