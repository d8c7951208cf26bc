package api_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/api"
)

func newTokens(t *testing.T) (*api.TokenStore, *time.Time) {
	t.Helper()
	at := now
	return &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json"), Now: func() time.Time { return at }}, &at
}

func TestTokenLife(t *testing.T) {
	s, at := newTokens(t)
	secret, err := s.Create("ci", api.Reader, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != len("mst_")+43+6 || !strings.HasPrefix(secret, "mst_") {
		t.Errorf("the secret is %q", secret)
	}
	tok, err := s.Check(secret)
	if err != nil || tok.Name != "ci" || tok.Role != api.Reader {
		t.Errorf("Check gave %+v, %v", tok, err)
	}
	*at = at.Add(30 * time.Minute)
	if _, err := s.Check(secret); err != nil {
		t.Errorf("Check gave %v", err)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || !list[0].LastUsed.Equal(*at) || !list[0].Created.Equal(now) || !list[0].Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("List gave %+v, %v", list, err)
	}
	*at = now.Add(time.Hour)
	if _, err := s.Check(secret); !errors.Is(err, api.ErrTokenExpired) {
		t.Errorf("at its end Check gave %v", err)
	}
	if err := s.Revoke("ci"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(secret); !errors.Is(err, api.ErrTokenUnknown) {
		t.Errorf("once revoked Check gave %v", err)
	}
	if err := s.Revoke("ci"); err == nil {
		t.Error("a second Revoke gave no error")
	}
}

func TestTokensAreKeptAsHashes(t *testing.T) {
	s, _ := newTokens(t)
	secret, err := s.Create("ci", api.Admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret[4:20]) {
		t.Errorf("the secret is in the file: %s", text)
	}
	stat, err := os.Stat(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	if stat.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %04o", stat.Mode().Perm())
	}
	if err := os.Chmod(s.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	open := &api.TokenStore{Path: s.Path}
	if _, err := open.Check(secret); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("from a file that others read, Check gave %v", err)
	}
}

func TestTokenNamesAndRoles(t *testing.T) {
	s, _ := newTokens(t)
	for _, test := range []struct {
		name string
		role api.Role
	}{
		{"", api.Reader}, {"a b", api.Reader}, {"-x", api.Reader}, {"a\nb", api.Reader}, {"x", "king"}, {"x", api.Anyone},
	} {
		if _, err := s.Create(test.name, test.role, 0); err == nil {
			t.Errorf("Create(%q, %q) gave no error", test.name, test.role)
		}
	}
	if _, err := s.Create("x", api.Reader, -time.Second); err == nil {
		t.Error("a token that has expired was made")
	}
	if _, err := s.Create("x", api.Reader, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create("x", api.Admin, 0); err == nil {
		t.Error("one name was given twice")
	}
}

// Processes that share a file lose none of each other's tokens.
func TestTokensFromSeveralProcesses(t *testing.T) {
	s, _ := newTokens(t)
	var wg sync.WaitGroup
	secrets := make([]string, 8)
	for i := range secrets {
		wg.Go(func() {
			own := &api.TokenStore{Path: s.Path}
			secret, err := own.Create(fmt.Sprintf("t%d", i), api.Reader, 0)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = secret
		})
	}
	wg.Wait()
	for i, secret := range secrets {
		if tok, err := s.Check(secret); err != nil || tok.Name != fmt.Sprintf("t%d", i) {
			t.Errorf("token %d: %+v, %v", i, tok, err)
		}
	}
}

// Nothing but the secret itself serves, and a slip of the pen is told from an
// unknown token.
func TestNoOtherTextIsAToken(t *testing.T) {
	s, _ := newTokens(t)
	secret, err := s.Create("ci", api.Reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		other := []byte(secret)
		i := rapid.IntRange(0, len(other)-1).Draw(t, "place")
		other[i] = rapid.Byte().Draw(t, "byte")
		_, err := s.Check(string(other))
		if same := string(other) == secret; same && err != nil || !same && !errors.Is(err, api.ErrTokenMalformed) {
			t.Fatalf("%q: %v", other, err)
		}
		if _, err := s.Check(rapid.String().Draw(t, "text")); !errors.Is(err, api.ErrTokenMalformed) {
			t.Fatalf("any text: %v", err)
		}
	})
	stranger, _ := newTokens(t)
	secret, err = stranger.Create("ci", api.Reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(secret); !errors.Is(err, api.ErrTokenUnknown) {
		t.Errorf("another server's token: %v", err)
	}
}
