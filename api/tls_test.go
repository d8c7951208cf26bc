package api_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/internal/pki"
)

// site is a certificate authority and what it signed.
type site struct {
	*pki.Authority

	at time.Time
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{at: time.Now()}
	a, err := pki.CreateAuthority(t.TempDir(), func() time.Time { return s.at })
	if err != nil {
		t.Fatal(err)
	}
	s.Authority = a
	return s
}

// client returns a certificate and its key.
func (s *site) client(t testing.TB, g pki.Grant) tls.Certificate {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := s.Issue(public, g)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// serveTLS runs a server until the test ends, on the loopback port returned.
func (s *site) serveTLS(t testing.TB, c api.Config) (url string) {
	t.Helper()
	server, err := s.IssueServer(pki.Grant{Name: "registry", Role: pki.RoleRegistry})
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{ClientCAs: s.Roots()}
	}
	c.TLS.Certificates = []tls.Certificate{server}
	c.Log = slog.New(slog.DiscardHandler)
	srv, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	return "https://" + l.Addr().String()
}

func (s *site) get(t *testing.T, url string, head http.Header, certs ...tls.Certificate) (int, string, error) {
	t.Helper()
	// A Go client keeps back a certificate of another authority than the
	// server names; an attacker would not.
	present := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certs) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certs[0], nil
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Roots(), GetClientCertificate: present}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if head != nil {
		r.Header = head
	}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func TestClientCertificates(t *testing.T) {
	s := newSite(t)
	revoked := s.client(t, pki.Grant{Name: "gone.acme.net", Role: pki.RoleOperator})
	if _, err := s.Revoke("gone.acme.net"); err != nil {
		t.Fatal(err)
	}
	s.at = time.Now().Add(-48 * time.Hour)
	expired := s.client(t, pki.Grant{Name: "late.acme.net", Role: pki.RoleOperator, TTL: time.Hour})
	s.at = time.Now()
	url := s.serveTLS(t, api.Config{
		Registry: &fake{nodes: fleet()},
		Revoked:  s.IsRevoked,
		Roles:    map[string]api.Role{"puppet*.acme.net": api.Forwarder, "puppet9.acme.net": api.NodeRole, "boss": api.Admin},
	})
	basic := http.Header{"Authorization": {"Basic Tm9uZTpOb25l"}}
	for _, test := range []struct {
		name, path string
		head       http.Header
		certs      []tls.Certificate
		status     int // 0: the handshake fails
	}{
		{"nobody, health", "/healthz", nil, nil, 200},
		{"nobody, readiness", "/readyz", nil, nil, 200},
		{"nobody", "/v1/search", nil, nil, 401},
		{"an operator", "/v1/search", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "alice", Role: pki.RoleOperator})}, 200},
		{"an operator with a stray login", "/v1/search", basic, []tls.Certificate{s.client(t, pki.Grant{Name: "carol", Role: pki.RoleOperator})}, 200},
		{"a stray login alone", "/v1/search", basic, nil, 401},
		{"a node", "/v1/search", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "web1.acme.net"})}, 403},
		{"a node about itself", "/v1/nodes/web1.acme.net", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "web1.acme.net"})}, 200},
		{"a node about another", "/v1/nodes/db1.acme.net", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "web1.acme.net"})}, 403},
		{"a puppetserver by pattern", "/v1/search", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "puppet1.acme.net"})}, 200},
		{"a name wins over a pattern", "/v1/search", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "puppet9.acme.net"})}, 403},
		{"a pattern stops at dots", "/v1/search", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "puppet.evil.acme.net"})}, 403},
		{"an administrator by name", "/v1/rejected", nil, []tls.Certificate{s.client(t, pki.Grant{Name: "boss"})}, 200},
		{"revoked", "/v1/search", nil, []tls.Certificate{revoked}, 401},
		{"expired", "/v1/search", nil, []tls.Certificate{expired}, 0},
		{"of another authority", "/v1/search", nil, []tls.Certificate{newSite(t).client(t, pki.Grant{Name: "alice", Role: pki.RoleOperator})}, 0},
		{"a wrong token beside a good certificate", "/v1/search", http.Header{"Authorization": {"Bearer mst_x"}}, []tls.Certificate{s.client(t, pki.Grant{Name: "bob", Role: pki.RoleOperator})}, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, text, err := s.get(t, url+test.path, test.head, test.certs...)
			if test.status == 0 {
				if err == nil {
					t.Fatalf("answered %d %s, want no handshake", status, text)
				}
				return
			}
			if err != nil || status != test.status {
				t.Fatalf("answered %d %s %v, want %d", status, text, err, test.status)
			}
			if status >= 400 && !strings.Contains(text, `{"error":{"code":`) {
				t.Errorf("the error is %s", text)
			}
		})
	}
}

func TestTokensOverTLS(t *testing.T) {
	s := newSite(t)
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	url := s.serveTLS(t, api.Config{Registry: &fake{nodes: fleet()}, Tokens: tokens})
	secret, err := tokens.Create("dashboard", api.Reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(secret string) int {
		status, _, err := s.get(t, url+"/v1/search", http.Header{"Authorization": {"Bearer " + secret}})
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := ask(secret); got != 200 {
		t.Errorf("a good token answered %d", got)
	}
	if got := ask(secret[:len(secret)-1] + "!"); got != 401 {
		t.Errorf("a wrong token answered %d", got)
	}
	if err := (&api.TokenStore{Path: tokens.Path}).Revoke("dashboard"); err != nil { // as another process would
		t.Fatal(err)
	}
	if got := ask(secret); got != 401 {
		t.Errorf("a revoked token answered %d", got)
	}
}

// Old TLS is not spoken.
func TestTLSIsNew(t *testing.T) {
	s := newSite(t)
	url := s.serveTLS(t, api.Config{Registry: &fake{}})
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: s.Roots(), MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
}
