package pki_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/internal/pki"
)

// registry is a join server as the API is one.
type registry struct {
	*httptest.Server
	t         *testing.T
	authority *pki.Authority
	clock     *clock
	change    func(*pki.JoinAnswer) // of each answer; nil: none
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{t: t}
	r.authority, r.clock = newAuthority(t, t.TempDir())
	r.clock.at = time.Now() // TLS goes by it
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/join", func(w http.ResponseWriter, request *http.Request) {
		var in pki.JoinRequest
		if err := json.NewDecoder(request.Body).Decode(&in); err != nil {
			t.Errorf("join: %v", err)
		}
		cert, err := r.authority.Admit(in)
		if err != nil {
			r.deny(w, err)
			return
		}
		r.answer(w, cert.Raw)
	})
	mux.HandleFunc("POST /v1/renew", func(w http.ResponseWriter, request *http.Request) {
		var in pki.RenewRequest
		if err := json.NewDecoder(request.Body).Decode(&in); err != nil {
			t.Errorf("renew: %v", err)
		}
		cert, err := r.authority.Renew(in)
		if err != nil {
			r.deny(w, err)
			return
		}
		r.answer(w, cert.Raw)
	})
	r.Server = httptest.NewUnstartedServer(mux)
	r.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that shall fail
	t.Cleanup(r.Close)
	return r
}

func (r *registry) deny(w http.ResponseWriter, err error) {
	status, code := http.StatusInternalServerError, "internal"
	if denied, ok := errors.AsType[*pki.Denied](err); ok {
		status, code = http.StatusForbidden, denied.Reason
	}
	r.write(w, status, map[string]any{"error": map[string]string{"code": code, "message": err.Error()}})
}

func (r *registry) answer(w http.ResponseWriter, der []byte) {
	answer := pki.JoinAnswer{
		Certificate: certPEM(der), CA: certPEM(r.authority.Certificate().Raw),
		Brokers: []string{"stomp://127.0.0.1:61613"}, Login: "node:web1", Passcode: "secret", Collective: "mcollective", Interval: 300,
	}
	if r.change != nil {
		r.change(&answer)
	}
	r.write(w, http.StatusOK, answer)
}

func (r *registry) write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		r.t.Error(err)
	}
}

func certPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// serveTLS starts the server as the registry's.
func (r *registry) serveTLS(t *testing.T) {
	t.Helper()
	cert, err := r.authority.IssueServer(pki.Grant{Name: "registry", Role: pki.RoleRegistry})
	if err != nil {
		t.Fatal(err)
	}
	r.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	r.StartTLS()
}

// serveAs starts the server with another certificate of the right CA.
func (r *registry) serveAs(t *testing.T, grant pki.Grant) {
	t.Helper()
	key := newKey(t)
	cert, err := r.authority.Issue(key.Public(), grant)
	if err != nil {
		t.Fatal(err)
	}
	r.TLS = &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{cert.Raw, r.authority.Certificate().Raw}, PrivateKey: key,
	}}}
	r.StartTLS()
}

func (r *registry) line(t *testing.T, spec pki.TokenSpec) pki.JoinLine {
	t.Helper()
	return r.authority.JoinLine(r.URL, mustToken(t, r.authority, spec))
}

func TestJoin(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			r := newRegistry(t)
			if scheme == "https" {
				r.serveTLS(t)
			} else {
				r.Start()
			}
			dir := filepath.Join(t.TempDir(), "agent")
			line, err := pki.ParseJoinLine(r.line(t, pki.TokenSpec{}).String())
			if err != nil {
				t.Fatal(err)
			}
			pair, err := pki.Join(t.Context(), line, "Web1.acme.net", dir)
			if err != nil {
				t.Fatal(err)
			}
			want := pki.Site{
				Server: r.URL, Brokers: []string{"stomp://127.0.0.1:61613"}, Login: "node:web1", Passcode: "secret",
				Collective: "mcollective", Interval: 5 * time.Minute,
			}
			if pair.Name() != "web1.acme.net" || pair.Role() != pki.RoleNode || !reflect.DeepEqual(pair.Site, want) {
				t.Errorf("got %s, %s, %+v", pair.Name(), pair.Role(), pair.Site)
			}
			loaded, err := pki.LoadKeyPair(dir)
			if err != nil || !reflect.DeepEqual(loaded, pair) {
				t.Errorf("saved %+v\nloaded %+v, %v", pair, loaded, err)
			}
			wantPrivate(t, dir, 4)

			r.clock.at = r.clock.at.Add(time.Minute)
			fresh, err := loaded.Renew(t.Context(), r.clock.at, dir)
			if err != nil {
				t.Fatal(err)
			}
			if fresh.Name() != pair.Name() || !fresh.Chain[0].NotAfter.After(pair.Chain[0].NotAfter) {
				t.Errorf("got %s until %s, had %s until %s", fresh.Name(), fresh.Chain[0].NotAfter, pair.Name(), pair.Chain[0].NotAfter)
			}
			if loaded, err := pki.LoadKeyPair(dir); err != nil || !reflect.DeepEqual(loaded, fresh) {
				t.Errorf("renewed %+v\nloaded %+v, %v", fresh, loaded, err)
			}
		})
	}
}

func wantPrivate(t *testing.T, dir string, files int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != files {
		t.Errorf("got %d files, %v; want %d", len(entries), err, files)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", entry.Name(), info.Mode(), err)
		}
	}
}

// Whoever answers must be who the line names, and must answer what was asked.
func TestJoinTrustsNobodyElse(t *testing.T) {
	stranger, _ := newAuthority(t, "")
	for name, test := range map[string]struct {
		line   func(pki.JoinLine) pki.JoinLine
		change func(*pki.JoinAnswer)
		serve  func(*testing.T, *registry) // nil: without TLS
		want   string
	}{
		"other fingerprint, http": {
			line: func(l pki.JoinLine) pki.JoinLine { l.Fingerprint = stranger.Fingerprint(); return l },
			want: "somebody between",
		},
		"other fingerprint, https": {
			line:  func(l pki.JoinLine) pki.JoinLine { l.Fingerprint = stranger.Fingerprint(); return l },
			serve: func(t *testing.T, r *registry) { r.serveTLS(t) },
			want:  "does not show the CA",
		},
		"another host's certificate": {
			serve: func(t *testing.T, r *registry) {
				r.serveAs(t, pki.Grant{Name: "other", Role: pki.RoleRegistry, Hosts: []string{"other.acme.net", "192.0.2.1"}})
			},
			want: "not 127.0.0.1",
		},
		"a node's certificate": {
			serve: func(t *testing.T, r *registry) { r.serveAs(t, pki.Grant{Name: "127.0.0.1"}) },
			want:  "certificate",
		},
		"http off this machine": {
			line: func(l pki.JoinLine) pki.JoinLine { l.Address = "http://192.0.2.1:8280"; return l },
			want: "want https",
		},
		"other CA in the answer": {
			change: func(a *pki.JoinAnswer) { a.CA = certPEM(stranger.Certificate().Raw) },
			want:   "somebody between",
		},
		"certificate from another CA": {
			change: func(a *pki.JoinAnswer) {
				a.Certificate = certPEM(mustIssue(t, stranger, pki.Grant{Name: "web1"}).Raw)
			},
			want: "another key",
		},
		"no certificate":  {change: func(a *pki.JoinAnswer) { a.Certificate = "" }, want: "no certificate"},
		"CA as our own":   {change: func(a *pki.JoinAnswer) { a.Certificate = a.CA }, want: "another key"},
		"broken CA":       {change: func(a *pki.JoinAnswer) { a.CA = certPEM([]byte("x")) }, want: "can not be read"},
		"two CAs, stolen": {change: func(a *pki.JoinAnswer) { a.CA = certPEM(stranger.Certificate().Raw) + a.CA }, want: "somebody between"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegistry(t)
			r.change = test.change
			if test.serve != nil {
				test.serve(t, r)
			} else {
				r.Start()
			}
			line := r.line(t, pki.TokenSpec{})
			if test.line != nil {
				line = test.line(line)
			}
			dir := t.TempDir()
			pair, err := pki.Join(t.Context(), line, "web1", dir)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, %v; want an error with %q", pair, err, test.want)
			}
			if strings.Contains(err.Error(), line.Token) {
				t.Errorf("the error gives the token away: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "cert.pem")); err == nil {
				t.Error("a certificate was saved")
			}
			if left, err := r.authority.Tokens(); test.serve != nil && (err != nil || len(left) != 1) {
				t.Errorf("the token was sent to whom nobody trusts: %v, %v", left, err)
			}
		})
	}
}

// The CA signed it for this key, but for another name.
func TestJoinWantsItsOwnName(t *testing.T) {
	r := newRegistry(t)
	r.Start()
	r.change = func(a *pki.JoinAnswer) {
		block, _ := pem.Decode([]byte(a.Certificate))
		issued, err := r.authority.Certificates()
		if err != nil || len(issued) != 1 || string(issued[0].DER) != string(block.Bytes) {
			t.Errorf("got %v, %v", issued, err)
			return
		}
		other, err := r.authority.Issue(mustParse(t, block.Bytes).PublicKey, pki.Grant{Name: "web2"})
		if err != nil {
			t.Error(err)
			return
		}
		a.Certificate = certPEM(other.Raw)
	}
	_, err := pki.Join(t.Context(), r.line(t, pki.TokenSpec{}), "web1", "")
	if err == nil || !strings.Contains(err.Error(), `is for "web2"`) {
		t.Errorf("got %v", err)
	}
}

// A join whose answer was lost goes on with the same key and the same token.
func TestJoinGoesOn(t *testing.T) {
	r := newRegistry(t)
	r.Start()
	line, dir := r.line(t, pki.TokenSpec{}), t.TempDir()
	r.change = func(a *pki.JoinAnswer) { a.Certificate = "lost" }
	if _, err := pki.Join(t.Context(), line, "web1", dir); err == nil {
		t.Fatal("joined without a certificate")
	}
	r.change = nil
	pair, err := pki.Join(t.Context(), line, "web1", dir)
	if err != nil {
		t.Fatal(err)
	}
	if issued, err := r.authority.Certificates(); err != nil || len(issued) != 1 || !mustParse(t, issued[0].DER).Equal(pair.Chain[0]) {
		t.Errorf("got certificates %v, %v; want the one", issued, err)
	}
	// Once joined, the token is of no use to anybody.
	_, err = pki.Join(t.Context(), line, "web1", "")
	wantDenied(t, err, pki.DeniedToken, "used already")
}

func saying(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text) // whoever hung up has read enough
	})
}

func TestJoinTellsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"another web server": {saying("<html>"), "is the address right?"},
		"not found":          {http.NotFoundHandler(), "404"},
		"redirected":         {http.RedirectHandler("http://127.0.0.1:1/steal", http.StatusTemporaryRedirect), "307"},
		"endless":            {saying(strings.Repeat(" ", 2<<20)), "more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			line := pki.JoinLine{Address: server.URL, Fingerprint: strings.Repeat("0", 64), Token: strings.Repeat("a", 32)}
			_, err := pki.Join(t.Context(), line, "web1", "")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
