package pki

import (
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"slices"
)

// JoinRequest is what a joining machine posts to /v1/join.
type JoinRequest struct {
	Token    string `json:"token"`
	CSR      string `json:"csr"` // PKCS #10, PEM; it proves that the key is the machine's, and nothing else in it counts
	Identity string `json:"identity"`
}

// JoinAnswer is what it gets with status 200.
type JoinAnswer struct {
	Certificate string   `json:"certificate"` // PEM
	CA          string   `json:"ca"`          // PEM
	Brokers     []string `json:"brokers,omitempty"`
	Login       string   `json:"login,omitempty"`
	Passcode    string   `json:"passcode,omitempty"`
	Collective  string   `json:"collective,omitempty"`
	Interval    int      `json:"interval,omitempty"` // between registrations, in seconds
}

// The reasons for which a request to join or to renew is denied.
const (
	DeniedToken    = "token"    // unknown, expired or used up
	DeniedIdentity = "identity" // not a name, or not one that the token allows
	DeniedExists   = "exists"   // the name has a live certificate
	DeniedRequest  = "request"  // the request can not be understood
	DeniedProof    = "proof"    // a renewal is not proven by a live certificate
)

// Denied says why a request to join or to renew was turned down.
type Denied struct {
	Reason string // one of the Denied words
	Detail string // for people
}

func (d *Denied) Error() string { return d.Detail }

func deny(reason, format string, args ...any) *Denied {
	return &Denied{reason, fmt.Sprintf(format, args...)}
}

const maxCSR = 16 << 10

// Admit answers a request to join: it uses up the token and issues the
// certificate. An error is a [*Denied], or says that a file failed. The same
// request, made again because the answer was lost, gets the same certificate.
func (a *Authority) Admit(r JoinRequest) (*x509.Certificate, error) {
	csr, err := parseCSR(r)
	if err != nil {
		return nil, err
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, fmt.Errorf("admit %s: %w", r.Identity, err)
	}
	defer unlock()
	all, err := a.tokens.load()
	if err != nil {
		return nil, fmt.Errorf("admit %s: %w", r.Identity, err)
	}
	if err := a.ledger.refresh(); err != nil {
		return nil, fmt.Errorf("admit %s: %w", r.Identity, err)
	}
	i, err := a.findToken(all, r)
	if err != nil {
		return nil, err
	}
	token := &all[i]
	live := a.ledger.live(r.Identity, a.now())
	if cert := issuedBefore(live, token.ID, csr); cert != nil {
		return cert, nil
	}
	switch {
	case token.Uses == 0:
		return nil, deny(DeniedToken, "the token was used already; ask for a new one")
	case len(live) > 0 && !token.Reissue:
		return nil, deny(DeniedExists, "%s has a certificate already, valid until %s; revoke it, or use a token that allows joining again",
			r.Identity, live[len(live)-1].Expires.Format("2006-01-02"))
	}
	all = slices.Clone(all) // the tokens in memory change only by save
	all[i].Uses--
	if err := a.tokens.save(a.unexpired(all)); err != nil {
		return nil, fmt.Errorf("admit %s: %w", r.Identity, err)
	}
	if err := a.revoke(live); err != nil {
		return nil, fmt.Errorf("admit %s: %w", r.Identity, err)
	}
	return a.issue(csr.PublicKey, Grant{Name: r.Identity, Role: token.Role, token: token.ID}, a.current().signs())
}

// findToken returns the place of the request's token, if it fits the request.
func (a *Authority) findToken(all []Token, r JoinRequest) (int, error) {
	hash := hashToken(r.Token)
	i := slices.IndexFunc(all, func(t Token) bool {
		return subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) == 1
	})
	if i < 0 {
		return 0, deny(DeniedToken, "the token is not known here; ask for a new one")
	}
	token := all[i]
	if a.now().After(token.Expires) {
		return 0, deny(DeniedToken, "the token expired at %s; ask for a new one", token.Expires.Format("2006-01-02 15:04:05 MST"))
	}
	name, err := checkName(r.Identity)
	if err != nil {
		return 0, deny(DeniedIdentity, "%v", err)
	}
	if ok, _ := path.Match(token.Pattern, name); token.Pattern != "" && !ok {
		return 0, deny(DeniedIdentity, "the token does not allow the name %s, only %s", name, token.Pattern)
	}
	return i, nil
}

// issuedBefore returns the certificate that this token got for this key.
func issuedBefore(live []Issued, token string, csr *x509.CertificateRequest) *x509.Certificate {
	for _, entry := range live {
		cert, err := x509.ParseCertificate(entry.DER)
		if err == nil && entry.Token == token && sameKey(csr.PublicKey, cert.PublicKey) {
			return cert
		}
	}
	return nil
}

// parseCSR reads the certificate request and checks that it was made with
// the key in it.
func parseCSR(r JoinRequest) (*x509.CertificateRequest, error) {
	csr, err := readCSR(r.CSR)
	if err != nil {
		return nil, deny(DeniedRequest, "the certificate request of %q: %v", r.Identity, err)
	}
	if name := csr.Subject.CommonName; name != "" && name != r.Identity {
		return nil, deny(DeniedIdentity, "the certificate request is for %q, the request to join for %q", name, r.Identity)
	}
	return csr, nil
}

func readCSR(text string) (*x509.CertificateRequest, error) {
	if len(text) > maxCSR {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxCSR)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("want PEM text with BEGIN CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, errors.New("it can not be read")
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, errors.New("its signature was not made with its key")
	}
	return csr, nil
}
