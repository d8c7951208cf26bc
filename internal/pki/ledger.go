package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Issued is what the authority remembers of a certificate.
type Issued struct {
	Serial   string    `json:"serial"` // hexadecimal
	Identity string    `json:"identity,omitempty"`
	Role     Role      `json:"role,omitempty"`
	Issued   time.Time `json:"issued,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	Token    string    `json:"token,omitempty"`  // id of the join token it was issued for
	Revoked  time.Time `json:"revoked,omitzero"` // zero: it was not
	DER      []byte    `json:"der,omitempty"`    // the certificate
}

func (i *Issued) live(now time.Time) bool {
	return i.Revoked.IsZero() && !now.After(i.Expires)
}

// ledger is the list of certificates: a file to which lines are added, one
// for each certificate issued and one for each revoked, and its content in
// memory. The authority's lock is held while lines are added.
type ledger struct {
	path string // empty: memory only

	mu       sync.RWMutex
	offset   int64 // how much of the file is in memory
	bySerial map[string]*Issued
	byName   map[string][]*Issued // the oldest first
}

func (l *ledger) issued(cert *x509.Certificate, token string) error {
	return l.add(Issued{
		Serial: cert.SerialNumber.Text(16), Identity: NameOf(cert), Role: RoleOf(cert),
		Issued: cert.NotBefore.Add(backdate), Expires: cert.NotAfter, Token: token, DER: cert.Raw,
	})
}

// add writes a line, in one piece and to the disk, before it counts.
func (l *ledger) add(line Issued) error {
	if l.path == "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.take(line)
		return nil
	}
	if err := l.refresh(); err != nil {
		return err
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record a certificate: %w", err)
	}
	// What a crash left of a line that was never finished is written over.
	err = file.Truncate(l.offset)
	if err == nil {
		_, err = file.WriteAt(append(text, '\n'), l.offset)
	}
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("record a certificate: %w", err)
	}
	return l.refresh()
}

// refresh reads the lines that were added since, here or by another process.
func (l *ledger) refresh() error {
	if l.path == "" {
		return nil
	}
	info, err := os.Stat(l.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the list of certificates: %w", err)
	}
	l.mu.RLock()
	current := info.Size() == l.offset
	l.mu.RUnlock()
	if current {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readOn()
}

func (l *ledger) readOn() error {
	file, err := os.Open(l.path)
	if err != nil {
		return fmt.Errorf("read the list of certificates: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, l.offset, 1<<62))
	if err != nil {
		return fmt.Errorf("read the list of certificates: %w", err)
	}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // half a line: it is being written, or never was finished
		}
		var entry Issued
		if err := json.Unmarshal(line, &entry); err != nil {
			return fmt.Errorf("read the list of certificates: %s is damaged at byte %d: %w", l.path, l.offset, err)
		}
		l.take(entry)
		l.offset += int64(len(line))
	}
	return nil
}

// take adds an entry to what is in memory.
func (l *ledger) take(entry Issued) {
	if !entry.Revoked.IsZero() {
		if known := l.bySerial[entry.Serial]; known != nil {
			known.Revoked = entry.Revoked
		}
		return
	}
	if l.bySerial == nil {
		l.bySerial, l.byName = make(map[string]*Issued), make(map[string][]*Issued)
	}
	name := strings.ToLower(entry.Identity)
	l.bySerial[entry.Serial] = &entry
	l.byName[name] = append(l.byName[name], &entry)
}

// live returns the certificates of a name that are neither expired nor
// revoked, the oldest first.
func (l *ledger) live(name string, now time.Time) []Issued {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var live []Issued
	for _, entry := range l.byName[strings.ToLower(name)] {
		if entry.live(now) {
			live = append(live, *entry)
		}
	}
	return live
}

// find returns the entry of a serial number.
func (l *ledger) find(serial string) (Issued, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	entry := l.bySerial[serial]
	if entry == nil {
		return Issued{}, false
	}
	return *entry, true
}
