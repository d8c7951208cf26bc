package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/internal/audit"
	"muster/registry"
)

// audited is a world whose deeds are written down.
func audited(t *testing.T, change func(*api.Config)) (w *world, path string, log *audit.Log) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.log")
	log, err := audit.Open(audit.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, t.TempDir(), func(c *api.Config) {
		c.Audit, c.AuditRequired, c.AuditQuestions = log, true, true
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(func() { w.close(t) })
	return w, path, log
}

func (w *world) do(method, path, body string, head http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	maps.Copy(r.Header, head)
	out := httptest.NewRecorder()
	w.ServeHTTP(out, r)
	conforms(w.t, method, path, out.Code, out.Header().Get("Content-Type"), out.Body.Bytes())
	return out
}

func entries(t *testing.T, path string) []audit.Entry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(bytes.NewReader(text)); err != nil {
		t.Errorf("the log: %v", err)
	}
	var list []audit.Entry
	for line := range bytes.Lines(text) {
		var e audit.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// Every route that changes something leaves exactly one line, whoever asks and
// whatever comes of it; no other route does, unless somebody was not let in.
func TestThreatT18EveryDeedLeavesOneLine(t *testing.T) {
	w, path, _ := audited(t, func(c *api.Config) { c.AuditQuestions = false })
	w.tell(t, registry.Registration{Identity: "db1"})
	heads := map[string]http.Header{"nobody": nil}
	for _, role := range api.Roles() {
		heads[string(role)] = w.grant(t, role, api.Grant{})
	}
	for _, row := range w.Rows() {
		method, pattern, _ := strings.Cut(row, " ")
		for who, head := range heads {
			for _, body := range []string{"", `{"identity":"db1"}`, "nonsense"} {
				if row == "GET /v1/watch" {
					continue // does not end by itself
				}
				before := len(entries(t, path))
				url := strings.NewReplacer(":identity", "db1", ":path", "os").Replace(pattern)
				if strings.HasSuffix(url, "*") || method == "GET" && body != "" {
					continue
				}
				status := w.do(method, url, body, head).Code
				want := 0
				if method != "GET" && !strings.HasPrefix(pattern, "/v1/search") && !strings.HasPrefix(pattern, "/pdb/query") && pattern != "/v1/neighbour" ||
					status == 401 || status == 403 || pattern == "/v1/backup" {
					want = 1
				}
				after := entries(t, path)
				if got := len(after) - before; got != want {
					t.Errorf("%s by %s with %q, answered %d, left %d lines, want %d", row, who, body, status, got, want)
				} else if want == 1 {
					e := after[len(after)-1]
					if e.What != row || e.Status != status || e.On != url || e.Request == "" || who != "nobody" && status != 401 && e.Who == "" && !strings.Contains(row, "join") && !strings.Contains(row, "renew") {
						t.Errorf("%s by %s: %+v", row, who, e)
					}
				}
			}
		}
	}
}

func TestThreatT18WhoWhatHowManyWhen(t *testing.T) {
	w, path, _ := audited(t, nil)
	for i := range 3 {
		w.tell(t, registry.Registration{Identity: fmt.Sprintf("db%d", i), Facts: map[string]any{"customer": "acme"}})
	}
	reader, puppet := w.grant(t, api.Reader, api.Grant{}), w.grant(t, api.Forwarder, api.Grant{})
	puppet.Set("Muster-Requested-By", "web1\n{\"n\":1}")
	w.do("GET", "/v1/search?q=customer=acme&limit=1", "", reader)
	w.do("POST", "/v1/search", `{"q":"customer=?","params":["canary-bound"],"class":["a"]}`, puppet)
	w.do("POST", "/v1/registrations", `{"identity":"new"}`, puppet)
	w.do("GET", "/v1/search?q=and", "", reader)
	w.do("GET", "/v1/search?q=ec2_userdata=canary", "", reader)
	w.do("GET", "/v1/search?q=app.password=canary+and+os=x", "", reader)
	w.do("GET", "/v1/search?q=x=%27mst_"+strings.Repeat("C4n", 16)+"x%27", "", reader)
	w.do("GET", "/v1/search?q=x="+strings.Repeat("y", 5000), "", reader)
	got := ""
	for _, e := range entries(t, path) {
		if e.Who == "" || e.At.IsZero() || e.Request != "same" && e.Request == "" {
			t.Errorf("%+v", e)
		}
		got += fmt.Sprintf("%s %s %.60q %d %d %s %q\n", e.Role, e.What, e.Asked, e.Count, e.Status, e.Error, e.For)
	}
	want := `reader GET /v1/search "customer=acme" 3 200  ""
forwarder POST /v1/search "customer=?; class: a" 0 200  "web1\n{\"n\":1}"
forwarder POST /v1/registrations "" 1 200  "web1\n{\"n\":1}"
reader GET /v1/search "" 0 400 syntax ""
reader GET /v1/search "[redacted: it is about a secret]" 0 200  ""
reader GET /v1/search "[redacted: it is about a secret]" 0 200  ""
reader GET /v1/search "[redacted: it is about a secret]" 0 200  ""
reader GET /v1/search "x=` + strings.Repeat("y", 58) + `" 0 200  ""
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("canary")) || bytes.Contains(text, []byte("C4nC4n")) {
		t.Errorf("a secret is in %s", text)
	}
}

// Where the log can not be written nothing is done that would have to be in it.
func TestThreatT18FailsClosed(t *testing.T) {
	for _, required := range []bool{true, false} {
		w, _, log := audited(t, func(c *api.Config) { c.AuditRequired = required })
		admin := w.grant(t, api.Admin, api.Grant{})
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		status := w.do("POST", "/v1/registrations", `{"identity":"db1"}`, admin).Code
		_, stored := w.registry.Node("db1")
		if required == stored || (status == 503) != required {
			t.Errorf("required=%t: answered %d, stored=%t", required, status, stored)
		}
		if status := w.do("GET", "/v1/search", "", admin).Code; (status == 503) != required {
			t.Errorf("required=%t: a search answered %d", required, status)
		}
		if status := w.do("GET", "/healthz", "", nil).Code; status != 200 {
			t.Errorf("required=%t: health answered %d", required, status)
		}
		if m := w.do("GET", "/metrics", "", admin).Body.String(); !required && !strings.Contains(m, "muster_audit_failures_total 2") {
			t.Errorf("the failures are not counted")
		}
	}
}

// A principal that asks too often is told when to come again; others are not
// hindered.
func TestThreatT16Rates(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *api.Config) { c.Rate, c.BytesPerMinute = 5, 1000 })
	defer w.close(t)
	first, second, puppet := w.grant(t, api.Reader, api.Grant{}), w.grant(t, api.Reader, api.Grant{}), w.grant(t, api.Forwarder, api.Grant{})
	served := func(head http.Header, n int) (ok int) {
		for range n {
			out := w.do("GET", "/v1/classes", "", head)
			switch out.Code {
			case 200:
				ok++
			case 429:
				if out.Header().Get("Retry-After") != "1" {
					t.Errorf("Retry-After is %q", out.Header().Get("Retry-After"))
				}
			default:
				t.Fatalf("answered %d %s", out.Code, out.Body.String())
			}
		}
		return ok
	}
	if got := served(first, 30); got != 10 { // two seconds' worth
		t.Errorf("%d were served at once, want 10", got)
	}
	if got := served(second, 1); got != 1 {
		t.Error("another principal was hindered")
	}
	w.at = w.at.Add(time.Second)
	if got := served(first, 30); got != 5 {
		t.Errorf("a second later %d were served, want 5", got)
	}
	if got := served(puppet, 250); got != 200 {
		t.Errorf("%d of a forwarder's were served, want 200", got)
	}
	w.at = w.at.Add(time.Hour)
	body := fmt.Sprintf(`{"q":"x=%s"}`, strings.Repeat("y", 1200))
	if out := w.do("POST", "/v1/search", body, first); out.Code != 200 {
		t.Errorf("the body that went beyond answered %d %s", out.Code, out.Body.String())
	}
	if out := w.do("POST", "/v1/search", `{}`, first); out.Code != 429 || out.Header().Get("Retry-After") == "" {
		t.Errorf("the one after it answered %d", out.Code)
	}
	w.at = w.at.Add(time.Minute)
	if out := w.do("POST", "/v1/search", `{}`, first); out.Code != 200 {
		t.Errorf("a minute later: %d", out.Code)
	}
}

// Nobody needs to be known to join, so that an address may not try for ever.
func TestThreatT16JoinsFromOneAddress(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	defer w.close(t)
	join := func(from string) int {
		r := httptest.NewRequest(http.MethodPost, "/v1/join", strings.NewReader("{}"))
		r.RemoteAddr = from
		out := httptest.NewRecorder()
		w.ServeHTTP(out, r)
		return out.Code
	}
	for i := range 61 {
		if got := join(fmt.Sprintf("[2001:db8:1:2::%x]:1234", i)); (got == 429) != (i == 60) {
			t.Errorf("join %d of one network answered %d", i, got)
		}
	}
	if got := join("[2001:db8:1:3::1]:1234"); got == 429 {
		t.Error("another network was hindered")
	}
	w.at = w.at.Add(2 * time.Second)
	if got := join("[2001:db8:1:2::1]:9"); got == 429 {
		t.Error("it was shut out for ever")
	}
}
