package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificates returns what was issued, ordered by name and then by age.
func (a *Authority) Certificates() ([]Issued, error) {
	if err := a.ledger.refresh(); err != nil {
		return nil, err
	}
	a.ledger.mu.RLock()
	defer a.ledger.mu.RUnlock()
	var all []Issued
	for _, entry := range a.ledger.bySerial {
		all = append(all, *entry)
	}
	slices.SortFunc(all, func(x, y Issued) int {
		if c := strings.Compare(x.Identity, y.Identity); c != 0 {
			return c
		}
		if c := x.Issued.Compare(y.Issued); c != 0 {
			return c
		}
		return strings.Compare(x.Serial, y.Serial)
	})
	return all, nil
}

// Revoke takes back the live certificates of a name, or the one with that
// serial number, and returns how many that were. None is an error.
func (a *Authority) Revoke(nameOrSerial string) (int, error) {
	unlock, err := a.lock()
	if err != nil {
		return 0, fmt.Errorf("revoke %s: %w", nameOrSerial, err)
	}
	defer unlock()
	if err := a.ledger.refresh(); err != nil {
		return 0, fmt.Errorf("revoke %s: %w", nameOrSerial, err)
	}
	entries := a.ledger.live(nameOrSerial, a.now())
	if entry, found := a.ledger.find(strings.ToLower(nameOrSerial)); found && entry.live(a.now()) {
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return 0, fmt.Errorf("revoke %s: no live certificate has that name or serial number", nameOrSerial)
	}
	return len(entries), a.revoke(entries)
}

// revoke does the work of Revoke; the lock is held.
func (a *Authority) revoke(entries []Issued) error {
	for _, entry := range entries {
		if err := a.ledger.add(Issued{Serial: entry.Serial, Revoked: a.now().UTC().Truncate(time.Second)}); err != nil {
			return fmt.Errorf("revoke %s: %w", entry.Identity, err)
		}
	}
	return nil
}

// IsRevoked reports whether a certificate of this CA was taken back, here or
// by another process. Certificates of other CAs are not its business. If the
// list can not be read, what was last read of it holds.
func (a *Authority) IsRevoked(cert *x509.Certificate) bool {
	if !a.issued(cert) {
		return false
	}
	_ = a.ledger.refresh() // see above
	entry, found := a.ledger.find(cert.SerialNumber.Text(16))
	return found && !entry.Revoked.IsZero()
}
