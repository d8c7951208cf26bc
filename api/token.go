package api

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/registry"
)

// Token is what is kept of a bearer token. The secret itself is shown once, by
// [TokenStore.Create], and only its SHA-256 is kept.
type Token struct {
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Hash     string    `json:"sha256"` // of the secret, lower-case hexadecimal
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`   // zero: never
	LastUsed time.Time `json:"last_used,omitzero"` // to the minute; zero: never

	Grant
}

// Grant is what a token's holder may do beside its role.
type Grant struct {
	Scope registry.Scope `json:"scope,omitzero"` // what it may see; zero: all
	For   []string       `json:"for,omitempty"`  // patterns of identities that a forwarder may speak for; empty: any
}

// Why a token does not serve, or cannot be made.
var (
	ErrTokenMalformed = errors.New("this is not a token of ours (mistyped or cut short?)")
	ErrTokenUnknown   = errors.New("the token is unknown or was revoked")
	ErrTokenExpired   = errors.New("the token has expired")
)

// TokenStore keeps bearer tokens in one JSON file of mode 0600. Several
// processes may use one file: a server that checks tokens sees those that
// `muster token create` adds beside it.
type TokenStore struct {
	Path string           // of the JSON file; the first Create makes it
	Now  func() time.Time // nil means time.Now

	mu   sync.Mutex
	read tokenFile // what was read last
}

// lastUsedEvery is how exactly the last use of a token is kept, so that a
// busy token does not write a file for every request.
const lastUsedEvery = time.Minute

var tokenName = regexp.MustCompile(`^[A-Za-z0-9._:][A-Za-z0-9._:@-]*$`)

// Create makes a token and returns its secret, which cannot be had again.
// The name must be new; lifetime 0 means that it never expires.
func (s *TokenStore) Create(name string, role Role, lifetime time.Duration) (secret string, err error) {
	return s.Grant(name, role, lifetime, Grant{})
}

// Grant is Create with limits to what the token's holder sees, and for whom it
// speaks.
func (s *TokenStore) Grant(name string, role Role, lifetime time.Duration, g Grant) (secret string, err error) {
	if len(name) > 255 || !tokenName.MatchString(name) {
		return "", fmt.Errorf("create token %q: a name is up to 255 letters, digits and . _ : @ -", name)
	}
	if !slices.Contains(Roles(), role) {
		return "", fmt.Errorf("create token %s: there is no role %q; there are %s", name, role, roleList())
	}
	if lifetime < 0 {
		return "", fmt.Errorf("create token %s: it would have expired before it is made", name)
	}
	if err := g.check(role); err != nil {
		return "", fmt.Errorf("create token %s: %w", name, err)
	}
	secret = newSecret()
	now := s.now().UTC().Truncate(time.Second)
	t := Token{Name: name, Role: role, Hash: hashSecret(secret), Created: now, Grant: g}
	if lifetime > 0 {
		t.Expires = now.Add(lifetime)
	}
	err = s.change(func(tokens []Token) ([]Token, error) {
		if slices.ContainsFunc(tokens, func(o Token) bool { return o.Name == name }) {
			return nil, fmt.Errorf("create token %s: there is one of that name; revoke it first", name)
		}
		return append(tokens, t), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// List returns all tokens, expired ones too, by name.
func (s *TokenStore) List() ([]Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens, err := s.read.load(s.Path)
	if err != nil {
		return nil, err
	}
	tokens = slices.Clone(tokens)
	slices.SortFunc(tokens, func(a, b Token) int { return cmp.Compare(a.Name, b.Name) })
	return tokens, nil
}

// Revoke removes the token of that name.
func (s *TokenStore) Revoke(name string) error {
	return s.change(func(tokens []Token) ([]Token, error) {
		kept := slices.DeleteFunc(slices.Clone(tokens), func(t Token) bool { return t.Name == name })
		if len(kept) == len(tokens) {
			return nil, fmt.Errorf("revoke token %s: there is none of that name", name)
		}
		return kept, nil
	})
}

// Check returns the token that secret belongs to. The error is
// [ErrTokenMalformed], [ErrTokenUnknown], [ErrTokenExpired], or that of
// reading the file.
func (s *TokenStore) Check(secret string) (Token, error) {
	if !wellFormed(secret) {
		return Token{}, ErrTokenMalformed
	}
	hash := []byte(hashSecret(secret))
	s.mu.Lock()
	tokens, err := s.read.load(s.Path)
	s.mu.Unlock()
	if err != nil {
		return Token{}, err
	}
	var found Token
	for _, t := range tokens { // all of them: where it was found must not show in the time taken
		if subtle.ConstantTimeCompare([]byte(t.Hash), hash) == 1 {
			found = t
		}
	}
	now := s.now()
	switch {
	case found.Name == "":
		return Token{}, ErrTokenUnknown
	case !found.Expires.IsZero() && !now.Before(found.Expires):
		return Token{}, ErrTokenExpired
	case now.Sub(found.LastUsed) >= lastUsedEvery:
		s.used(found.Name, now)
	}
	return found, nil
}

// used notes that the token served just now. That it could not be noted, on a
// full disk say, locks nobody out.
func (s *TokenStore) used(name string, now time.Time) {
	_ = s.change(func(tokens []Token) ([]Token, error) {
		tokens = slices.Clone(tokens)
		for i := range tokens {
			if tokens[i].Name == name {
				tokens[i].LastUsed = now.UTC().Truncate(lastUsedEvery)
			}
		}
		return tokens, nil
	})
}

func (s *TokenStore) change(edit func([]Token) ([]Token, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read.change(s.Path, edit)
}

func (s *TokenStore) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// A secret is a prefix that leak scanners can look for, 32 random bytes, and
// a checksum that tells a mistyped token from a revoked one.
const (
	tokenPrefix  = "mst_"
	randomDigits = 43 // of 32 bytes in base 62
	checkDigits  = 6  // of a CRC-32 in base 62
)

func newSecret() string {
	var random [32]byte
	rand.Read(random[:])
	body := base62(new(big.Int).SetBytes(random[:]), randomDigits)
	return tokenPrefix + body + checkOf(body)
}

func wellFormed(secret string) bool {
	body, ok := strings.CutPrefix(secret, tokenPrefix)
	return ok && len(body) == randomDigits+checkDigits && checkOf(body[:randomDigits]) == body[randomDigits:]
}

func checkOf(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), checkDigits)
}

// base62 writes n in the given number of digits. Text of big.Int has lower
// case before upper case; any fixed order serves.
func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
