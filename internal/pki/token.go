package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"muster/internal/durable"
)

const (
	// DefaultTokenTTL is how long a token is good where nothing else is said.
	DefaultTokenTTL = 24 * time.Hour

	tokenBytes  = 20 // 160 bits
	tokenDigits = 32
)

// tokenText is the alphabet of tokens and passcodes: a to z and 2 to 7.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// TokenSpec says what a join token shall allow.
type TokenSpec struct {
	Pattern string        // which names may join, with * and ?, compared without case; empty means any
	Role    Role          // that they get; empty means RoleNode
	Uses    int           // how often; 0 means once
	TTL     time.Duration // 0 means DefaultTokenTTL

	// Reissue lets a name join that has a live certificate, a machine that
	// was installed again say. Its earlier certificates are revoked.
	Reissue bool
}

// Token is what the authority remembers of a join token. The token itself is
// not among it.
type Token struct {
	ID      string    `json:"id"`   // the beginning of Hash
	Hash    string    `json:"hash"` // SHA-256 of the token, hexadecimal
	Pattern string    `json:"pattern,omitempty"`
	Role    Role      `json:"role"`
	Uses    int       `json:"uses"` // left
	Expires time.Time `json:"expires"`
	Reissue bool      `json:"reissue,omitempty"`
}

// CreateToken makes a token, records it and returns its text, which can not
// be had again.
func (a *Authority) CreateToken(spec TokenSpec) (string, error) {
	token, err := a.newToken(spec)
	if err != nil {
		return "", fmt.Errorf("create a token: %w", err)
	}
	text := newTokenText()
	token.Hash = hashToken(text)
	token.ID = token.Hash[:8]
	return text, a.changeTokens(func(all []Token) ([]Token, error) { return append(all, token), nil })
}

func (a *Authority) newToken(spec TokenSpec) (Token, error) {
	role, err := ParseRole(string(spec.Role))
	if err != nil {
		return Token{}, err
	}
	if _, err := path.Match(spec.Pattern, ""); err != nil {
		return Token{}, fmt.Errorf("the pattern %q can not be understood", spec.Pattern)
	}
	if spec.Uses < 0 || spec.TTL < 0 {
		return Token{}, errors.New("uses and time can not be negative")
	}
	return Token{
		Pattern: strings.ToLower(spec.Pattern), Role: role, Reissue: spec.Reissue,
		Uses:    max(spec.Uses, 1),
		Expires: a.now().Add(orDefault(spec.TTL, DefaultTokenTTL)).UTC().Truncate(time.Second),
	}, nil
}

// Tokens returns the tokens that can still be used.
func (a *Authority) Tokens() ([]Token, error) {
	var all []Token
	err := a.changeTokens(func(tokens []Token) ([]Token, error) {
		all = a.usable(tokens)
		return nil, nil
	})
	return all, err
}

// RevokeToken makes the token with that id unusable.
func (a *Authority) RevokeToken(id string) error {
	return a.changeTokens(func(all []Token) ([]Token, error) {
		i := slices.IndexFunc(all, func(t Token) bool { return t.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("there is no token with the id %q", id)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// changeTokens replaces the tokens by what change returns; nil leaves them.
func (a *Authority) changeTokens(change func([]Token) ([]Token, error)) error {
	unlock, err := a.lock()
	if err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	defer unlock()
	all, err := a.tokens.load()
	if err != nil {
		return err
	}
	changed, err := change(all)
	if err != nil || changed == nil {
		return err
	}
	return a.tokens.save(a.unexpired(changed))
}

// unexpired keeps used-up tokens: a node whose join was cut asks again.
func (a *Authority) unexpired(all []Token) []Token {
	return slices.DeleteFunc(slices.Clone(all), func(t Token) bool { return a.now().After(t.Expires) })
}

func (a *Authority) usable(all []Token) []Token {
	return slices.DeleteFunc(a.unexpired(all), func(t Token) bool { return t.Uses == 0 })
}

// tokens is the file of tokens. The authority's lock is held.
type tokens struct {
	path string // empty: memory only
	all  []Token
}

func (t *tokens) load() ([]Token, error) {
	if t.path == "" {
		return t.all, nil
	}
	text, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	var all []Token
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the tokens: %s is damaged: %w", t.path, err)
	}
	return all, nil
}

func (t *tokens) save(all []Token) error {
	if t.path == "" {
		t.all = all
		return nil
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return durable.Write(t.path, append(text, '\n'))
}

func newTokenText() string {
	secret := make([]byte, tokenBytes)
	rand.Read(secret) // never fails
	return tokenText.EncodeToString(secret)
}

func hashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
