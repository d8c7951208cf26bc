package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rotate lets a new CA follow the present one. From now on it signs what nodes
// and operators get, and both are accepted; who renews a certificate is told of
// both. What the registry shows and seals with stays the old one's until that is
// dropped ([Authority.Drop]), so that everybody believes it.
func (a *Authority) Rotate() error {
	return a.change("rotate the CA", func(held *authorities) ([]root, error) {
		if len(held.accepted) > 1 {
			return nil, errors.New("another one is accepted beside it still; drop that first")
		}
		next, err := a.newRoot()
		return []root{next, held.signs()}, err
	})
}

// Drop ends the acceptance of all CAs but the one that signs. While somebody
// would be shut out it is a [*StillNeeded], unless force. The registry's own
// names do not count: it gets itself other certificates.
func (a *Authority) Drop(force bool, own ...string) error {
	return a.change("drop the old CA", func(held *authorities) ([]root, error) {
		if len(held.accepted) == 1 {
			return nil, errors.New("there is none: one CA is accepted, and it signs")
		}
		if left, err := a.left(held, own); err != nil || len(left) > 0 && !force {
			if err == nil {
				err = &StillNeeded{left}
			}
			return nil, err
		}
		return []root{held.signs()}, nil
	})
}

// Outdated reports whether a certificate is of an accepted CA that does not sign
// any more, so that its holder should get a new one.
func (a *Authority) Outdated(cert *x509.Certificate) bool {
	return slices.ContainsFunc(a.current().accepted[1:], func(ca *x509.Certificate) bool { return bytes.Equal(cert.RawIssuer, ca.RawSubject) })
}

// change keeps other CAs, as change says.
func (a *Authority) change(what string, change func(held *authorities) ([]root, error)) error {
	unlock, err := a.lock()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer unlock()
	roots, err := change(a.current())
	if err == nil {
		err = a.keep(roots...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// StillNeeded says why an old CA was not dropped.
type StillNeeded struct{ Names []string } // who has no certificate but one of it, sorted

func (s *StillNeeded) Error() string {
	some := s.Names[:min(len(s.Names), 5)]
	text := fmt.Sprintf("%d would be shut out, having no certificate of the new one yet: %s", len(s.Names), strings.Join(some, " "))
	if len(s.Names) > len(some) {
		text += " …"
	}
	return text
}

// Standing is what hangs on a CA.
type Standing struct {
	CA    *x509.Certificate
	Signs bool     // what nodes and operators get
	Names []string // who has no live certificate but of it, or a newer CA's; sorted
}

// Standings are the accepted CAs, the one that signs first, and what hangs on
// them besides the registry's own names.
func (a *Authority) Standings(own ...string) ([]Standing, error) {
	held := a.current()
	newest, err := a.newest(held, own)
	if err != nil {
		return nil, err
	}
	standings := make([]Standing, len(held.accepted))
	for i, ca := range held.accepted {
		standings[i] = Standing{CA: ca, Signs: i == 0}
		for name, by := range newest {
			if by == i {
				standings[i].Names = append(standings[i].Names, name)
			}
		}
		slices.Sort(standings[i].Names)
	}
	return standings, nil
}

// left are those who have no live certificate of the CA that signs, but one of
// another.
func (a *Authority) left(held *authorities, own []string) (names []string, err error) {
	newest, err := a.newest(held, own)
	for name, by := range newest {
		if by > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// newest says for each name with a live certificate which of the accepted CAs
// gave it one: the place of the first that did.
func (a *Authority) newest(held *authorities, own []string) (map[string]int, error) {
	all, err := a.Certificates()
	if err != nil {
		return nil, err
	}
	newest := map[string]int{}
	for _, entry := range all {
		cert, err := x509.ParseCertificate(entry.DER)
		if err != nil || !entry.live(a.now()) || slices.Contains(own, entry.Identity) {
			continue
		}
		by := slices.IndexFunc(held.accepted, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil })
		if known, has := newest[entry.Identity]; by >= 0 && (!has || by < known) {
			newest[entry.Identity] = by
		}
	}
	return newest, nil
}
