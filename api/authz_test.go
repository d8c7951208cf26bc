package api_test

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"muster/api"
	"muster/registry"
)

var update = flag.Bool("update", false, "rewrite golden files with what the code says now")

// Who may do what, asked of the server itself: every route of the table with
// every role. A route that is not in the golden file fails here, and putting
// it in is a decision.
func TestAuthorisationMatrix(t *testing.T) {
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	s, err := api.New(api.Config{Registry: &fake{nodes: fleet()}, Life: noLife{}, Tokens: tokens, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	secrets := map[api.Role]string{}
	for _, role := range api.Roles() {
		if secrets[role], err = tokens.Create("web1.acme.net"+strings.Repeat("x", len(secrets)), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	if secrets[api.NodeRole], err = tokens.Create("web1.acme.net.", api.NodeRole, 0); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	fmt.Fprintf(&got, "%-28s %-9s", "route", "nobody")
	for _, role := range api.Roles() {
		fmt.Fprintf(&got, " %-9s", role)
	}
	for _, row := range s.Rows() {
		fmt.Fprintf(&got, "\n%-28s %-9s", row, may(t, h, row, ""))
		for _, role := range api.Roles() {
			fmt.Fprintf(&got, " %-9s", may(t, h, row, secrets[role]))
		}
	}
	golden(t, "testdata/authorisation.golden", trimmed(got.String()))
}

// may asks for a route, about the node that the node's token is for and about
// another one.
func may(t *testing.T, h *httptest.Server, row, secret string) string {
	t.Helper()
	method, path, _ := strings.Cut(row, " ")
	head := http.Header{}
	if secret != "" {
		head.Set("Authorization", "Bearer "+secret)
	}
	ask := func(name string) bool {
		body := ""
		if method == "POST" {
			body = fmt.Sprintf(`{"identity":%q}`, name)
		}
		if path == "/pdb/cmd/v1" {
			body = fmt.Sprintf(`{"command":"deactivate node","version":3,"payload":{"certname":%q}}`, name)
		}
		a := send(t, h, method, strings.NewReplacer(":identity", name, ":certname", name, ":path", "customer").Replace(path), body, head)
		refused := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.errorCode() == "wrong_sender"
		if (secret == "") != (a.status == http.StatusUnauthorized) && refused {
			t.Errorf("%s with token %q answered %d", row, secret, a.status)
		}
		return !refused
	}
	switch own, other := ask("web1.acme.net."), ask("db1.acme.net"); {
	case own && other:
		return "yes"
	case own:
		return "own"
	case other:
		return "other"
	default:
		return "-"
	}
}

func trimmed(table string) string {
	var out strings.Builder
	for line := range strings.Lines(table) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if this is meant, run go test ./api -update\ngot\n%s\nwant\n%s", path, got, want)
	}
}

// A node that tries to speak for another changes nothing, and is listed.
func TestANodeSpeaksForItselfOnly(t *testing.T) {
	f := &fake{}
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	h := serveConfig(t, api.Config{Registry: f, Tokens: tokens})
	secret, err := tokens.Create("mallory.acme.net", api.NodeRole, 0)
	if err != nil {
		t.Fatal(err)
	}
	head := http.Header{"Authorization": {"Bearer " + secret}}
	a := send(t, h, "POST", "/v1/registrations", `{"identity":"db1.acme.net","facts":{"customer":"evil"}}`, head)
	if a.status != http.StatusBadRequest || a.errorCode() != "wrong_sender" {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if len(f.registered) != 0 {
		t.Errorf("registered %+v", f.registered)
	}
	if len(f.refusals) != 1 || f.refusals[0].Reason != "wrong_sender" || !strings.Contains(f.refusals[0].Detail, "mallory.acme.net") ||
		f.refusals[0].Identity != "db1.acme.net" || !strings.Contains(f.refusals[0].From, "127.0.0.1") {
		t.Errorf("refusals are %+v", f.refusals)
	}
	own := send(t, h, "POST", "/v1/registrations", `{"facts":{"customer":"acme"}}`, head)
	if own.status != http.StatusOK || len(f.registered) != 1 {
		t.Fatalf("its own registration answered %d %s", own.status, own.text)
	}
	if r := f.registered[0]; r.Identity != "mallory.acme.net" || r.Auth != "token mallory.acme.net" || r.Source != registry.Daemon {
		t.Errorf("registered as %+v", r)
	}
}
