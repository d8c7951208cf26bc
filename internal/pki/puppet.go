package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// LoadPuppet reads a host's Puppet certificate as it is: from
// private_keys/NAME.pem, certs/NAME.pem and certs/ca.pem in ssldir, which is
// /etc/puppetlabs/puppet/ssl in Puppet's own packages and /var/lib/puppet/ssl
// in Debian's. An empty certname takes the only one that is there.
//
// The key is readable by root only.
func LoadPuppet(ssldir, certname string) (*KeyPair, error) {
	if certname == "" {
		var err error
		if certname, err = onlyCertname(ssldir); err != nil {
			return nil, fmt.Errorf("load Puppet's certificate: %w", err)
		}
	}
	if strings.ContainsAny(certname, `/\`) {
		return nil, fmt.Errorf("load Puppet's certificate: %q is not a certname", certname)
	}
	name := strings.ToLower(certname) + ".pem"
	p, err := loadFiles(filepath.Join(ssldir, "private_keys", name), filepath.Join(ssldir, "certs", name), filepath.Join(ssldir, "certs", "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("load Puppet's certificate: %w", err)
	}
	p.Chain = withIntermediates(p.Chain, p.CA)
	return p, nil
}

func onlyCertname(ssldir string) (string, error) {
	keys, err := filepath.Glob(filepath.Join(ssldir, "private_keys", "*.pem"))
	if err != nil {
		return "", err
	}
	var names []string
	for _, key := range keys {
		name := filepath.Base(key)
		if _, err := os.Stat(filepath.Join(ssldir, "certs", name)); err == nil {
			names = append(names, strings.TrimSuffix(name, ".pem"))
		}
	}
	switch len(names) {
	case 0:
		return "", fmt.Errorf("there is none in %s; has Puppet run on this host, and may you read its keys?", ssldir)
	case 1:
		return names[0], nil
	}
	return "", errors.New("there are several; say which: " + strings.Join(names, ", "))
}

// withIntermediates extends a chain by those of the CA's certificates that
// lead from it to a root: Puppet's CA has one between since version 6.
func withIntermediates(chain, ca []*x509.Certificate) []*x509.Certificate {
	for range ca {
		last := chain[len(chain)-1]
		for _, cert := range ca {
			root := bytes.Equal(cert.RawIssuer, cert.RawSubject)
			if !root && bytes.Equal(cert.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(cert) == nil {
				chain = append(chain, cert)
				break
			}
		}
	}
	return chain
}
