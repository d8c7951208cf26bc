package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"muster/internal/pki"
	"muster/internal/wire"
)

// trust is whom a site believes and what it shows for as long as its CAs are the
// same ones.
type trust struct {
	own        *x509.CertPool // the authority's, by which a change of CAs is seen
	roots      *x509.CertPool // those and Puppet's
	self       *pki.KeyPair   // seals receipts
	sealer     *wire.Sealer
	shown      tls.Certificate // over TLS, where that is spoken
	web, stomp *tls.Config
}

// current is the trust of now: the CAs may be others than a moment ago. Where
// then something can not be made anew, because the disk is full for example, what
// was shown so far is shown on.
func (s *site) current() *trust {
	own := s.authority.Roots()
	if t := s.trust.Load(); t.own == own {
		return t
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	old := s.trust.Load()
	if old.own == own {
		return old
	}
	fresh, err := s.newTrust(own)
	if err != nil {
		s.log.Error("the certificate authorities are others now, and the registry's own certificates stay: it could not get itself new ones", "error", err)
		fresh = &trust{self: old.self, sealer: old.sealer, shown: old.shown}
		s.believe(fresh, own)
	} else {
		s.log.Info("the certificate authorities are others now", "accepted", len(s.authority.Accepted()))
	}
	s.trust.Store(fresh)
	return fresh
}

// newTrust loads the site's certificates, or makes them where there are none of
// the CA that is shown.
func (s *site) newTrust(own *x509.CertPool) (*trust, error) {
	t := &trust{self: s.host} // nodes with Puppet's certificates believe Puppet's CA only
	var err error
	if s.host == nil {
		if t.self, err = s.keyPair("registry", s.name, pki.RoleRegistry); err != nil {
			return nil, err
		}
		if _, err = s.keyPair("operator", "operator", pki.RoleOperator); err != nil { // for this host's command line
			return nil, err
		}
	}
	if t.sealer, err = wire.NewSealer(t.self.Key, t.self.Chain); err != nil {
		return nil, err
	}
	if s.tls || s.stompTLS() {
		if t.shown, err = s.serverCertificate(); err != nil {
			return nil, err
		}
	}
	s.believe(t, own)
	return t, nil
}

// believe sets whom t believes, and how it speaks TLS.
func (s *site) believe(t *trust, own *x509.CertPool) {
	t.own, t.roots = own, own
	if s.host != nil {
		t.roots = own.Clone()
		for _, ca := range s.host.CA {
			t.roots.AddCert(ca)
		}
	}
	t.stomp = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{t.shown}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: t.roots}
	t.web = t.stomp.Clone()
	t.web.NextProtos = []string{"h2", "http/1.1"}
}

// serverCertificate is what HTTP and the broker show.
func (s *site) serverCertificate() (tls.Certificate, error) {
	if s.certFile != "" {
		pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
		if err != nil {
			return pair, fmt.Errorf("reading the server's certificate %s: %w", s.certFile, err)
		}
		return pair, nil
	}
	if s.host != nil { // what Puppet's nodes believe
		return s.host.TLS(), nil
	}
	pair, err := s.serverPair()
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS(), nil
}

// tlsConfig lets each connection begin with the trust of now.
func (s *site) tlsConfig(of func(*trust) *tls.Config) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return of(s.current()), nil },
	}
}

// roots are whom this site believes now.
func (s *site) roots() *x509.CertPool { return s.current().roots }

// Seal seals a receipt with what all nodes believe now.
func (s *site) Seal(m wire.Message) ([]byte, error) { return s.current().sealer.Seal(m) }

// ownCertificate is what this registry shows to other brokers and registries.
func (s *site) ownCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair := s.current().self.TLS()
	return &pair, nil
}
