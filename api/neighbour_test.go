package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/api"
	"muster/registry"
)

// TestNeighboursReadAll that a registry knows, and nobody else does: not even an
// administrator whose token shows a part only.
func TestNeighboursReadAll(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	defer w.close(t)
	w.tell(t, registry.Registration{Identity: "n0", Collectives: []string{"eu"}, Facts: map[string]any{"role": "web"}})
	w.tell(t, registry.Registration{Identity: "n1", Collectives: []string{"us"}, Facts: map[string]any{"role": "db"}})
	ask := func(method, body string, head http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/v1/neighbour", strings.NewReader(body))
		r.Header = head
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		return out
	}
	lines := func(a *httptest.ResponseRecorder) string {
		t.Helper()
		zip, err := gzip.NewReader(bytes.NewReader(a.Body.Bytes()))
		if err != nil {
			t.Fatalf("answered %d %s: %v", a.Code, a.Body.String(), err)
		}
		text, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	neighbour := w.grant(t, api.Neighbour, api.Grant{})
	if got := lines(ask(http.MethodGet, "", neighbour)); strings.Count(got, `"identity"`) != 2 || strings.Contains(got, "web") || !strings.Contains(got, `"end":true`) {
		t.Errorf("the heads are\n%s", got)
	}
	if got := lines(ask(http.MethodPost, `{"nodes":["n1","nobody"]}`, neighbour)); strings.Count(got, `"identity"`) != 1 || !strings.Contains(got, `"role":"db"`) {
		t.Errorf("what is passed is\n%s", got)
	}
	if a := ask(http.MethodPost, `{"nodez":["n1"]}`, neighbour); a.Code != http.StatusBadRequest {
		t.Errorf("nonsense is answered by %d %s", a.Code, a.Body.String())
	}
	part := registry.Scope{Collectives: []string{"eu"}}
	for _, head := range []http.Header{
		w.grant(t, api.Neighbour, api.Grant{Scope: part}), w.grant(t, api.Admin, api.Grant{Scope: part}), w.grant(t, api.Reader, api.Grant{}), w.grant(t, api.Operator, api.Grant{}),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if a := ask(method, `{"nodes":["n1"]}`, head); a.Code != http.StatusForbidden {
				t.Errorf("%s by who may not is answered by %d", method, a.Code)
			}
		}
	}
}

// TestHeld: until a registry knows what it missed it says so to all but other
// registries.
func TestHeld(t *testing.T) {
	held := errors.New("asking the neighbours")
	w := newWorld(t, t.TempDir(), func(c *api.Config) { c.Held = func() error { return held } })
	defer w.close(t)
	admin := w.grant(t, api.Admin, api.Grant{})
	want := func(what string, expected map[string]int) {
		t.Helper()
		for path, status := range expected {
			if a := ask(t, w, path, admin); a.Code != status {
				t.Errorf("%s: %s is answered by %d %s, want %d", what, path, a.Code, a.Body.String(), status)
			}
		}
	}
	want("held", map[string]int{"/v1/search": 503, "/v1/nodes/n0": 503, "/v1/backup": 503, "/readyz": 503, "/healthz": 200, "/v1/neighbour": 200})
	held = nil
	want("free", map[string]int{"/v1/search": 200, "/v1/nodes/n0": 404, "/readyz": 200, "/v1/neighbour": 200})
}
