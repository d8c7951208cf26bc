package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Entry is one thing that somebody did or tried.
type Entry struct {
	At      time.Time `json:"at"`              // by the server's clock; Add fills it in
	Who     string    `json:"who"`             // the principal's name
	Role    string    `json:"role,omitempty"`  // its role
	Auth    string    `json:"auth,omitempty"`  // how its name was proven
	From    string    `json:"from,omitempty"`  // the address
	For     string    `json:"for,omitempty"`   // on whose behalf a forwarder says that it acts
	What    string    `json:"what"`            // the route
	On      string    `json:"on,omitempty"`    // the path, with what it names
	Asked   string    `json:"asked,omitempty"` // the query
	Count   int       `json:"count,omitempty"` // how many nodes were named, stored or changed
	Status  int       `json:"status"`          // the outcome, as HTTP has it
	Error   string    `json:"error,omitempty"` // a word for what went wrong
	Request string    `json:"request,omitempty"`
}

// line is an entry as it is kept.
type line struct {
	Number uint64 `json:"n"`      // from 1, without gaps
	Before string `json:"before"` // the hash of the line before, without its line feed; of the first: none
	Entry
}

// Config says where a log is kept.
type Config struct {
	Path string // the file; Open makes it, readable by its owner only

	// MaxBytes is how large a file may grow. Then it gets the number of its last
	// line behind its name, and a new one goes on. 0: 100 MiB.
	MaxBytes int64

	Keep int              // how many full files are kept; 0: 10
	Now  func() time.Time // nil: time.Now
}

// Log is an open log. It may be used by several goroutines, and by one process.
type Log struct {
	conf Config

	mu     sync.Mutex
	file   *os.File
	size   int64
	number uint64
	last   string // the hash of the last line
	broken bool   // the end of the file is half a line
}

// Open opens a log or begins one. It goes on after the last whole line; half a
// line, left by a crash, is cut off.
func Open(c Config) (*Log, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = 100 << 20
	}
	if c.Keep == 0 {
		c.Keep = 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	l := &Log{conf: c}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	file, err := os.OpenFile(l.conf.Path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	number, last, whole, err := end(file)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if number == 0 && l.last == "" { // a new file goes on where the last full one ended
		if number, last, err = l.endOfFull(); err != nil {
			return errors.Join(err, file.Close())
		}
	} else if number == 0 {
		number, last = l.number, l.last
	}
	l.file, l.size, l.number, l.last, l.broken = file, whole, number, last, false
	return nil
}

func (l *Log) endOfFull() (number uint64, last string, err error) {
	full, err := l.full()
	if err != nil || len(full) == 0 {
		return 0, "", err
	}
	file, err := os.Open(full[len(full)-1])
	if err != nil {
		return 0, "", err
	}
	number, last, _, err = end(file)
	return number, last, errors.Join(err, file.Close())
}

// full are the files that were full, oldest first.
func (l *Log) full() ([]string, error) { return filepath.Glob(l.conf.Path + ".*[0-9]") }

// end returns the last line's number and hash, and the size of all whole lines.
func end(r io.Reader) (number uint64, last string, whole int64, err error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	var text []byte
	for {
		next, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, "", 0, err
		}
		whole += int64(len(next))
		text = next
	}
	if text == nil {
		return 0, "", whole, nil
	}
	var tail line
	if err := json.Unmarshal(text, &tail); err != nil {
		return 0, "", 0, fmt.Errorf("its last line is not one of ours: %w", err)
	}
	return tail.Number, hashOf(bytes.TrimSuffix(text, []byte("\n"))), whole, nil
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Add writes one line. An error means that it is not in the log; the next Add
// tries again.
func (l *Log) Add(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.At = l.conf.Now().UTC()
	text, err := json.Marshal(line{Number: l.number + 1, Before: l.last, Entry: e})
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	if err := l.write(text); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.number++
	l.last = hashOf(text)
	return nil
}

func (l *Log) write(text []byte) error {
	if l.file == nil {
		return fs.ErrClosed
	}
	if l.broken {
		if err := l.back(); err != nil {
			return err
		}
		l.broken = false
	}
	if l.size > 0 && l.size+int64(len(text)) >= l.conf.MaxBytes {
		if err := l.turn(); err != nil {
			return err
		}
	}
	_, err := l.file.Write(append(text, '\n'))
	if errors.Is(err, syscall.ENOSPC) && os.Remove(l.reserve()) == nil {
		// What was begun is still told of; Ready keeps more from being begun.
		if err = l.back(); err == nil {
			_, err = l.file.Write(append(text, '\n'))
		}
	}
	if err != nil {
		l.broken = true
		return err
	}
	l.size += int64(len(text)) + 1
	return nil
}

// back goes to the end of the whole lines.
func (l *Log) back() error {
	err := l.file.Truncate(l.size)
	if err == nil {
		_, err = l.file.Seek(l.size, io.SeekStart)
	}
	return err
}

// reserve is a file that is given up when the disk is full, so that all that was
// begun by then is in the log.
func (l *Log) reserve() string { return l.conf.Path + ".reserve" }

const reserveBytes = 1 << 20

// Ready returns nil if what is begun now will be in the log, even if the disk
// fills up meanwhile.
func (l *Log) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("the audit log can not be written: %w", fs.ErrClosed)
	}
	if stat, err := os.Stat(l.reserve()); err == nil && stat.Size() == reserveBytes && !l.broken {
		return nil
	}
	err := os.WriteFile(l.reserve(), make([]byte, reserveBytes), 0o600)
	if err == nil && l.broken {
		err = l.back()
	}
	if err != nil {
		return fmt.Errorf("the audit log can not be written: %w", errors.Join(err, os.Remove(l.reserve())))
	}
	l.broken = false
	return nil
}

// turn puts the full file aside and begins a new one.
func (l *Log) turn() error {
	if err := errors.Join(l.file.Sync(), l.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(l.conf.Path, fmt.Sprintf("%s.%012d", l.conf.Path, l.number)); err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	full, err := l.full()
	for len(full) > l.conf.Keep && err == nil {
		err = os.Remove(full[0])
		full = full[1:]
	}
	return err
}

// Last is the hash of the last line, which nobody can forge who can not change
// what is kept elsewhere; empty for an empty log.
func (l *Log) Last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Close writes to the disk what the system may still hold, and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
