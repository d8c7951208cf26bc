package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"muster/internal/durable"
)

// runFile tells the command line of the same user where the running server
// is, so that `muster find` needs no address on the same host.
type runFile struct {
	PID      int      `json:"pid"`
	Server   string   `json:"server"`          // base URL
	Token    string   `json:"token,omitempty"` // path of a file that holds the token
	CA       string   `json:"ca,omitempty"`    // path of the CA that signed the server's certificate
	Brokers  []string `json:"brokers,omitempty"`
	Vhost    string   `json:"vhost,omitempty"`
	Login    string   `json:"login,omitempty"`
	Passcode string   `json:"passcode,omitempty"` // path of a file that holds it
	Puppet   string   `json:"puppet,omitempty"`   // Puppet's ssl folder, whose certificate seals requests instead
	Data     string   `json:"data,omitempty"`     // the server's data folder
	Operator string   `json:"operator,omitempty"` // folder of the key pair that seals requests
}

func (e Env) runFilePath() string {
	if path := e.Getenv("MUSTER_RUN_FILE"); path != "" {
		return path
	}
	return filepath.Join(e.stateDir(), "run.json")
}

// readRunFile is the run file, or nil when no server of this user runs here.
func (e Env) readRunFile() (*runFile, error) {
	text, err := os.ReadFile(e.runFilePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading where the server runs: %w", err)
	}
	var r runFile
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("reading where the server runs: %s is damaged; delete it or start the server again", e.runFilePath())
	}
	return &r, nil
}

// announce tells this user's command line of a server, unless another one runs
// and has done so. It returns the function that takes it back.
func (e Env) announce(r runFile) (withdraw func(), err error) {
	if other, err := e.readRunFile(); err == nil && other != nil && other.PID != r.PID && answers(other.Server) {
		return func() {}, nil // another server of this user runs: the command line stays with it
	}
	path, err := writeRunFile(e.runFilePath(), r)
	if err != nil {
		return nil, err
	}
	return func() {
		if now, err := e.readRunFile(); err == nil && now != nil && now.PID == r.PID && now.Server == r.Server {
			_ = os.Remove(path) // a file that stays only names a server that does not answer
		}
	}, nil
}

func writeRunFile(path string, r runFile) (string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	if err := writePrivate(path, append(text, '\n')); err != nil {
		return "", fmt.Errorf("announcing the server: %w", err)
	}
	return path, nil
}

// writePrivate makes the folder and writes the file whole, for its owner only.
func writePrivate(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.Write(path, text)
}

// keepPrivate is writePrivate where the file does not hold the text already: a
// server starts on a full disk, too.
func keepPrivate(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return writePrivate(path, text)
}

// answers reports whether somebody listens at a server's address.
func answers(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
