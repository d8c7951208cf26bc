package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"muster/agent"
	"muster/api"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/registry"
)

func (s *site) newAPI(client *bus.Client) (*api.Server, error) {
	var conf *tls.Config
	if s.tls {
		conf = s.tlsConfig(func(t *trust) *tls.Config { return t.web })
	}
	roles := map[string]api.Role{}
	for role, names := range map[api.Role][]string{
		api.Operator: s.operators, api.Reader: s.readers, api.Forwarder: slices.Collect(maps.Keys(s.forwarders)), api.Neighbour: s.neighbourNames(),
	} {
		for _, name := range names {
			if other, twice := roles[name]; twice {
				return nil, usageFault("the settings give %s two roles, %s and %s", name, other, role)
			}
			roles[name] = role
		}
	}
	secret, err := s.redact.About()
	if err != nil {
		return nil, usageFault("serve.redact: %w", err)
	}
	c := api.Config{
		Registry: s.registry, Open: s.open, TLS: conf, Revoked: s.revoked,
		Roles: roles, Forwarders: s.forwarders, Scopes: s.scopes, Tokens: s.tokens, Joiner: joiner{s}, Renewer: joiner{s}, Saved: s.saved, Hiera: s.hiera, Held: s.held, Now: s.now, Log: s.log,
		Checks: []api.Check{{Name: "broker", Ok: func(context.Context) error { return brokerReady(client) }}},
		Secret: secret, AuditRequired: s.audit.Required, AuditQuestions: !s.audit.ChangesOnly, Rate: s.rate, Insecure: s.insecure,
	}
	if s.auditLog != nil {
		c.Audit = s.auditLog
	}
	return api.New(c)
}

// well reports whether the registry answers, for the watchdog.
func (s *site) well(ctx context.Context) error {
	_, err := s.registry.Find(ctx, registry.Discovery{Limit: 1})
	return err
}

// neighbourNames are the certificates of neighbours that say nothing of a role,
// being Puppet's: those of their hosts.
func (s *site) neighbourNames() (names []string) {
	for _, n := range s.neighbours {
		if u, err := url.Parse(n.url); err == nil && s.puppet != "" && !loopbackHost(u.Hostname()) {
			names = append(names, u.Hostname())
		}
	}
	return names
}

func brokerReady(client *bus.Client) error {
	status := client.Status()
	switch {
	case status.Connected:
		return nil
	case status.LastError != "":
		return fmt.Errorf("not connected: %s", status.LastError)
	}
	return fmt.Errorf("not connected yet")
}

// joiner admits nodes that hand in a token, renews their certificates, and
// tells them where the broker is.
type joiner struct{ *site }

func (j joiner) Join(_ context.Context, r pki.JoinRequest) (pki.JoinAnswer, error) {
	cert, err := j.authority.Admit(r)
	return j.answer(cert, err)
}

// Renew gives a new certificate to who proves to hold the present one.
func (j joiner) Renew(_ context.Context, r pki.RenewRequest) (pki.JoinAnswer, error) {
	cert, err := j.authority.Renew(r)
	return j.answer(cert, err)
}

func (j joiner) answer(cert *x509.Certificate, err error) (pki.JoinAnswer, error) {
	if err != nil {
		return pki.JoinAnswer{}, err
	}
	answer := pki.JoinAnswer{
		Certificate: pemOf(cert), CA: pemOf(j.authority.Accepted()...),
		Brokers: j.brokerURIs, Collective: j.collectives[0], Interval: int(agent.DefaultInterval.Seconds()),
	}
	if j.stomp != nil { // a foreign broker's login is the site's to hand out
		name := pki.NameOf(cert)
		answer.Login, answer.Passcode = name, pki.Passcode(j.secret, name)
	}
	return answer, nil
}

func pemOf(certs ...*x509.Certificate) string {
	var text strings.Builder
	for _, cert := range certs {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return text.String()
}

// baseURL is the address at which this site answers HTTP.
func (s *site) baseURL() string {
	scheme := "http"
	if s.tls {
		scheme = "https"
	}
	return scheme + "://" + reachable(s.http.Addr())
}

// joinLine makes a token and the line that a node joins by.
func (s *site) joinLine(spec pki.TokenSpec) (string, error) {
	token, err := s.authority.CreateToken(spec)
	if err != nil {
		return "", err
	}
	return s.authority.JoinLine(s.baseURL(), token).String(), nil
}

// isLoopback reports whether only this host reaches the address.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// reachable is an address that others can connect to: where we listen on every
// interface, this host's name.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = strings.ToLower(name)
		}
	}
	return net.JoinHostPort(host, port)
}
