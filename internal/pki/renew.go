package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// renewWindow is how far the clocks may differ when a renewal is asked for.
const renewWindow = 10 * time.Minute

// RenewRequest is what a machine posts to /v1/renew; a [JoinAnswer] comes
// back. It keeps its key and its name, so there is nothing else to say.
type RenewRequest struct {
	Certificate string    `json:"certificate"` // the present one, PEM
	At          time.Time `json:"at"`
	Signature   []byte    `json:"signature"` // with the certificate's key, over what renewText returns
}

func renewText(cert *x509.Certificate, at time.Time) []byte {
	return fmt.Appendf(nil, "muster renewal\n%s\n%s\n", Fingerprint(cert), at.UTC().Format(time.RFC3339Nano))
}

// NewRenewRequest asks for a new certificate for the same key and name.
func (p *KeyPair) NewRenewRequest(now time.Time) (RenewRequest, error) {
	r := RenewRequest{Certificate: string(encodeCertificates(p.Chain[0])), At: now.UTC()}
	_, hash, err := signatureOf(p.Key.Public())
	if err != nil {
		return r, err
	}
	r.Signature, err = crypto.SignMessage(p.Key, rand.Reader, renewText(p.Chain[0], r.At), hash)
	return r, err
}

// signatureOf says how a kind of key signs a renewal.
func signatureOf(key crypto.PublicKey) (x509.SignatureAlgorithm, crypto.Hash, error) {
	switch key.(type) {
	case ed25519.PublicKey:
		return x509.PureEd25519, 0, nil
	case *ecdsa.PublicKey:
		return x509.ECDSAWithSHA256, crypto.SHA256, nil
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, crypto.SHA256, nil
	}
	return 0, 0, errors.New("the key is neither Ed25519, ECDSA nor RSA")
}

// Renew answers a request to renew, which a live certificate of this CA must
// prove. The new certificate has its key, name and role, and is valid from
// now for [DefaultTTL]; the present one stays valid until it expires. An
// error is a [*Denied], or says that a file failed.
func (a *Authority) Renew(r RenewRequest) (*x509.Certificate, error) {
	certs, err := decodeCertificates([]byte(r.Certificate))
	if err != nil {
		return nil, deny(DeniedRequest, "the request to renew: %v", err)
	}
	cert, now := certs[0], a.now()
	if err := a.proves(cert, r, now); err != nil {
		return nil, deny(DeniedProof, "renew the certificate of %s: %v", NameOf(cert), err)
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, fmt.Errorf("renew the certificate of %s: %w", NameOf(cert), err)
	}
	defer unlock()
	if a.IsRevoked(cert) {
		return nil, deny(DeniedProof, "renew the certificate of %s: it was revoked", NameOf(cert))
	}
	return a.issue(cert.PublicKey, Grant{Name: NameOf(cert), Role: RoleOf(cert)}, a.current().signs())
}

// proves reports an error unless r proves that it comes from the holder of a
// certificate that this CA issued and that is valid.
func (a *Authority) proves(cert *x509.Certificate, r RenewRequest, now time.Time) error {
	signed := func(ca *x509.Certificate) bool {
		return bytes.Equal(cert.RawIssuer, ca.RawSubject) && cert.CheckSignatureFrom(ca) == nil
	}
	if cert.IsCA || !slices.ContainsFunc(a.Accepted(), signed) {
		return errors.New("it is not from this CA")
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return fmt.Errorf("it was valid from %s until %s; join again", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly))
	}
	if age := now.Sub(r.At); age.Abs() > renewWindow {
		return fmt.Errorf("the request was made %s ago by this machine's clock; are the clocks right?", age.Round(time.Second))
	}
	algorithm, _, err := signatureOf(cert.PublicKey)
	if err != nil {
		return err
	}
	if cert.CheckSignature(algorithm, renewText(cert, r.At), r.Signature) != nil {
		return errors.New("the request was not signed with its key")
	}
	return nil
}

// Due reports whether it is time to renew: in the last third of the
// certificate's life.
func (p *KeyPair) Due(now time.Time) bool {
	cert := p.Chain[0]
	return now.After(cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 3))
}

// Renew asks the registry at p.Site.Server for a new certificate, proving
// itself with the present one, and saves the new pair in dir. An empty dir
// saves nothing. If the registry turned it down, the error is a [*Denied].
func (p *KeyPair) Renew(ctx context.Context, now time.Time, dir string) (*KeyPair, error) {
	fresh, err := p.renew(ctx, now)
	if err == nil && dir != "" {
		err = fresh.Save(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("renew the certificate of %s: %w", p.Name(), err)
	}
	return fresh, nil
}

func (p *KeyPair) renew(ctx context.Context, now time.Time) (*KeyPair, error) {
	if problem := addressProblem(p.Site.Server); problem != "" {
		return nil, errors.New(problem)
	}
	request, err := p.NewRenewRequest(now)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.Roots()}
	var answer JoinAnswer
	if err := post(ctx, settings, p.Site.Server+"/v1/renew", request, &answer); err != nil {
		return nil, err
	}
	line := JoinLine{Address: p.Site.Server, Fingerprint: Fingerprint(p.CA[0])}
	for _, ca := range p.CA { // any that is believed will do
		if known := Fingerprint(ca); strings.Contains(answer.CA, string(encodeCertificates(ca))) {
			line.Fingerprint = known
		}
	}
	fresh, err := line.accept(answer, p.Key, p.Name(), strings.HasPrefix(p.Site.Server, "https://"))
	if err == nil && fresh.Role() != p.Role() {
		err = fmt.Errorf("the answer's certificate has the role %s", fresh.Role())
	}
	return fresh, err
}
