package pki

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"muster/internal/durable"
)

// Join makes an Ed25519 key, asks for a certificate with it, checks what comes
// back against the line's fingerprint, and saves the pair in dir. A join that
// was cut short goes on with the key that lies in dir. Where dir holds a
// certificate already, Join replaces it. An empty dir saves nothing.
//
// If the registry turned the request down, the error is a [*Denied].
func Join(ctx context.Context, line JoinLine, identity, dir string) (*KeyPair, error) {
	p, err := join(ctx, line, identity, dir)
	if err != nil {
		return nil, fmt.Errorf("join at %s as %s: %w", line.Address, identity, err)
	}
	return p, nil
}

func join(ctx context.Context, line JoinLine, identity, dir string) (*KeyPair, error) {
	if problem := addressProblem(line.Address); problem != "" {
		return nil, errors.New(problem)
	}
	name, err := checkName(identity)
	if err != nil {
		return nil, err
	}
	key, err := joinKey(dir)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	request := JoinRequest{
		Token: line.Token, Identity: name,
		CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
	}
	var answer JoinAnswer
	if err := post(ctx, pinned(line), line.Address+"/v1/join", request, &answer); err != nil {
		return nil, err
	}
	p, err := line.accept(answer, key, name, strings.HasPrefix(line.Address, "https://"))
	if err != nil || dir == "" {
		return p, err
	}
	return p, p.Save(dir)
}

// joinKey returns the key of a join that was cut short, or a new one, which
// is saved before it is used.
func joinKey(dir string) (crypto.Signer, error) {
	key, err := NewKey()
	if err != nil || dir == "" {
		return key, err
	}
	if _, err := os.Stat(filepath.Join(dir, "cert.pem")); err == nil {
		return key, nil // the old pair stays until there is a new one
	}
	path := filepath.Join(dir, "key.pem")
	text, err := os.ReadFile(path)
	if err == nil {
		return decodeKey(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if text, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, durable.Write(path, text)
}

// accept checks an answer: the CA is the one that the line names, and the
// certificate is its, for our key and our name.
//
// Where the line is all that proves who answers, over http, the CA is the first one
// of the answer and no other is believed: who sits between could have put it there.
// Over https the handshake has proven it: such an answer may name those that are to
// come, or are here already.
func (l JoinLine) accept(answer JoinAnswer, key crypto.Signer, name string, proven bool) (*KeyPair, error) {
	ca, err := decodeCertificates([]byte(answer.CA))
	if err != nil {
		return nil, fmt.Errorf("the answer's CA: %w", err)
	}
	if !proven {
		ca = ca[:1]
	}
	if !slices.ContainsFunc(ca, func(cert *x509.Certificate) bool { return l.fits(cert.Raw) }) {
		return nil, fmt.Errorf("the answer's CA has the fingerprint %s, the join line says %s: this is another registry, or somebody between", Fingerprint(ca[0]), l.Fingerprint)
	}
	chain, err := decodeCertificates([]byte(answer.Certificate))
	if err != nil {
		return nil, fmt.Errorf("the answer's certificate: %w", err)
	}
	p := &KeyPair{
		Key: key, Chain: chain, CA: ca,
		Site: Site{
			Server: l.Address, Brokers: answer.Brokers, Login: answer.Login, Passcode: answer.Passcode,
			Collective: answer.Collective, Interval: time.Duration(answer.Interval) * time.Second,
		},
	}
	return p, p.check(name)
}

// check reports whether the certificate is for the key and the name, and
// leads to the CA. Whether the clocks agree is not its question: they need not.
func (p *KeyPair) check(name string) error {
	leaf := p.Chain[0]
	if !sameKey(p.Key.Public(), leaf.PublicKey) {
		return errors.New("the answer's certificate is for another key")
	}
	if got := NameOf(leaf); got != name {
		return fmt.Errorf("the answer's certificate is for %q", got)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: p.Roots(), CurrentTime: leaf.NotBefore.Add(backdate),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the answer's certificate is not from the CA: %w", err)
	}
	return nil
}
