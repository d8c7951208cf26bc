package api_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/internal/pki"
	"muster/registry"
)

// command is a request to /pdb/cmd/v1 as Puppet's servers make it.
func command(name string, version int, certname string, at time.Time, payload string) (path, body string) {
	query := url.Values{"command": {name}, "version": {fmt.Sprint(version)}, "certname": {certname}, "producer-timestamp": {at.Format(time.RFC3339Nano)}}
	if payload == "" {
		payload = `"values":{"customer":"acme"},"environment":"production"`
	}
	return "/pdb/cmd/v1?" + query.Encode(), fmt.Sprintf(`{"certname":%q,"producer_timestamp":%q,%s}`, certname, at.Format(time.RFC3339Nano), payload)
}

// puppetserver is a server with a token for a forwarder and one for a reader.
type puppetserver struct {
	*registry.Registry

	forward, reader http.Header
	send            func(head http.Header, path, body string) answer
	get             func(path string) answer
}

func newPuppetserver(t *testing.T, regs ...registry.Registration) *puppetserver {
	t.Helper()
	r := realRegistry(t, regs...)
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	h := serveConfig(t, api.Config{Registry: r, Tokens: tokens})
	p := &puppetserver{Registry: r}
	bearer := func(name string, role api.Role) http.Header {
		secret, err := tokens.Create(name, role, 0)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json; charset=utf-8"}}
	}
	p.forward, p.reader = bearer("puppet1", api.Forwarder), bearer("reader", api.Reader)
	p.send = func(head http.Header, path, body string) answer {
		t.Helper()
		return send(t, h, "POST", path, body, head)
	}
	p.get = func(path string) answer { t.Helper(); return getAs(t, h, path, p.reader) }
	return p
}

// tell sends a command that must be accepted.
func (p *puppetserver) tell(t *testing.T, name string, version int, certname string, at time.Time, payload string) {
	t.Helper()
	path, body := command(name, version, certname, at, payload)
	if a := p.send(p.forward, path, body); a.status != http.StatusOK || len(fmt.Sprint(a.body["uuid"])) != 36 {
		t.Fatalf("%s of %s answered %d %s", name, certname, a.status, a.text)
	}
}

func (p *puppetserver) node(t *testing.T, name string) registry.Node {
	t.Helper()
	n, ok := p.Node(name)
	if !ok {
		t.Fatalf("there is no node %s", name)
	}
	return n
}

// A run of Puppet puts facts, classes and how it went into the registry, each
// in its own section, on the forwarder's word.
func TestARunOfPuppet(t *testing.T) {
	p, at := newPuppetserver(t), time.Now().Add(-time.Minute)
	p.tell(t, "replace_facts", 5, "db1.acme.net", at, `"environment":"production","producer":"puppet1","values":{"customer":"acme","trusted":{"authenticated":"remote","extensions":{"pp_role":"db"}}}`)
	p.tell(t, "replace_catalog", 9, "db1.acme.net", at, `"resources":[{"type":"Class","title":"Mysql::Master","parameters":{"password":"CANARY"}},{"type":"Class","title":"Settings"},{"type":"File","title":"/x"}],"edges":[]`)
	p.tell(t, "store_report", 8, "db1.acme.net", at, `"status":"changed","noop":false,"end_time":"2026-11-20T08:28:13.257Z","metrics":[{"category":"resources","name":"changed","value":3}],"logs":[{"message":"CANARY"}]`)
	n := p.node(t, "db1.acme.net")
	run, _ := n.Facts["last_run"].(map[string]any)
	if n.Facts["customer"] != "acme" || n.Facts["environment"] != "production" || run["status"] != "changed" || run["changed"] != int64(3) || !slices.Equal(n.Classes, []string{"mysql::master"}) {
		t.Errorf("the node is %+v", n)
	}
	if role := n.Trusted["extensions"].(map[string]any)["pp_role"]; role != "db" || n.Facts["trusted"] != nil {
		t.Errorf("trusted is %v, the fact of that name %v", n.Trusted, n.Facts["trusted"])
	}
	for _, source := range []registry.Source{registry.PuppetFacts, registry.Catalog, registry.Report, registry.Trusted} {
		if s := n.Sections[source]; s == nil || s.Auth != "forwarder puppet1" {
			t.Errorf("the section %s is %+v", source, s)
		}
	}
	if a := p.get("/v1/search?q=" + url.QueryEscape("customer=acme mysql::master last_run.status=changed")); !slices.Equal(names(t, a), []string{"db1.acme.net"}) {
		t.Errorf("the search answered %s", a.text)
	}
	if whole := p.get("/v1/nodes/db1.acme.net"); strings.Contains(whole.text, "CANARY") {
		t.Errorf("a secret is in %s", whole.text)
	}
}

// The newest by the producer's clock wins, whatever the order; what is older is
// counted, and changes nothing.
func TestTheNewestCommandWins(t *testing.T) {
	p, at := newPuppetserver(t), time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	facts := func(version string) string { return `"values":{"v":"` + version + `"}` }
	p.tell(t, "replace_facts", 5, "a.net", at, facts("second"))
	p.tell(t, "replace_facts", 5, "a.net", at.Add(-time.Second), facts("first"))
	before := p.get("/v1/nodes/a.net").text
	p.tell(t, "replace_facts", 5, "a.net", at.Add(-time.Second), facts("first"))
	if after := p.get("/v1/nodes/a.net").text; after != before || !strings.Contains(after, `"v":"second"`) {
		t.Errorf("the node was\n%s and is\n%s", before, after)
	}
	if older := p.Stats().Refused[registry.ReasonOlder]; older != 2 {
		t.Errorf("%d commands were counted as older, want 2", older)
	}
	p.tell(t, "replace_facts", 5, "a.net", at, facts("second")) // again: its sender missed the answer
	p.tell(t, "replace_catalog", 9, "a.net", at.Add(-time.Minute), `"resources":[]`)
	p.tell(t, "replace_facts", 5, "a.net", at.Add(time.Second), facts("third"))
	if v := p.node(t, "a.net").Facts["v"]; v != "third" {
		t.Errorf("v is %v", v)
	}
}

// A deactivated node is out of answers until something newer is heard of it.
func TestDeactivationEndsWithNewerData(t *testing.T) {
	p, at := newPuppetserver(t), time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	live := func() bool { return p.get("/v1/search").body["count"] == float64(1) }
	nothing := `"x":1`
	p.tell(t, "deactivate_node", 3, "unknown.net", at, nothing)
	p.tell(t, "replace_facts", 5, "a.net", at, "")
	p.tell(t, "deactivate_node", 3, "a.net", at.Add(-time.Second), nothing)
	if !live() {
		t.Error("the node was deactivated by what is older than its facts")
	}
	p.tell(t, "deactivate_node", 3, "a.net", at.Add(time.Minute), nothing)
	if live() || p.node(t, "a.net").Deactivated.By != "puppet1" {
		t.Errorf("the node is %+v", p.node(t, "a.net"))
	}
	p.tell(t, "replace_catalog", 9, "a.net", at.Add(time.Second), `"resources":[]`)
	if live() {
		t.Error("what is older than the deactivation undid it")
	}
	for i, name := range []string{"replace_facts", "replace_facts"} { // the same facts: the cheap path; others: the long one
		p.tell(t, name, 5, "a.net", at.Add(time.Duration(i+2)*time.Minute), []string{"", `"values":{"new":true}`}[i])
		if !live() {
			t.Errorf("newer facts did not bring the node back: %+v", p.node(t, "a.net").Sections)
		}
		p.tell(t, "deactivate_node", 3, "a.net", at.Add(time.Duration(i+2)*time.Minute+time.Second), nothing)
	}
	if live() {
		t.Error("the node is still there")
	}
}

// A certificate speaks for its own node; a forwarder for all; nobody makes a
// victim's record change by a byte otherwise.
func TestWhoMaySendCommands(t *testing.T) {
	s, r := newSite(t), realRegistry(t)
	base := s.serveTLS(t, api.Config{Registry: r, Roles: map[string]api.Role{"puppet1.acme.net": api.Forwarder, "looker.acme.net": api.Reader}})
	post := func(cert *tls.Certificate, path, body string) (int, string) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Roots()}}
		defer transport.CloseIdleConnections()
		if cert != nil {
			transport.TLSClientConfig.Certificates = []tls.Certificate{*cert}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	cert := func(name string) *tls.Certificate { c := s.client(t, pki.Grant{Name: name}); return &c }
	victim, mallory, forwarder, reader := cert("db1.acme.net"), cert("mallory.acme.net"), cert("puppet1.acme.net"), cert("looker.acme.net")
	at := time.Now().Truncate(time.Millisecond)
	path, body := command("replace_facts", 5, "db1.acme.net", at, `"values":{"customer":"acme","trusted":{"extensions":{"pp_role":"db"}}}`)
	if status, text := post(victim, path, body); status != http.StatusOK {
		t.Fatalf("its own command answered %d %s", status, text)
	}
	if n, _ := r.Node("db1.acme.net"); n.Auth != "cert" || strings.Contains(fmt.Sprint(n.Trusted), "pp_role") {
		t.Errorf("the node is proven by %q and has trusted facts %v: its certificate says them, not the node", n.Auth, n.Trusted)
	}
	record := func() string {
		n, _ := r.Node("db1.acme.net")
		return string(registry.AppendRecord(nil, &n))
	}
	before := record()
	later := at.Add(time.Second)
	for name, payload := range map[string]string{"replace_facts": `"values":{"customer":"evil"}`, "replace_catalog": `"resources":[{"type":"Class","title":"Evil"}]`, "store_report": `"status":"failed"`, "deactivate_node": `"x":1`} {
		version := map[string]int{"replace_facts": 5, "replace_catalog": 9, "store_report": 8, "deactivate_node": 3}[name]
		about := func(announced string) string {
			path, _ := command(name, version, announced, later, payload)
			return path
		}
		evil := func(certname string) string {
			_, body := command(name, version, certname, later, payload)
			return body
		}
		whole := fmt.Sprintf(`{"command":%q,"version":%d,"payload":%s}`, name, version, evil("db1.acme.net"))
		for _, test := range []struct {
			who    string
			cert   *tls.Certificate
			path   string
			body   string
			status int
			code   string
		}{
			{"nobody", nil, about("db1.acme.net"), evil("db1.acme.net"), 401, "unauthenticated"},
			{"a reader", reader, about("db1.acme.net"), evil("db1.acme.net"), 403, "forbidden"},
			{"another node", mallory, about("db1.acme.net"), evil("db1.acme.net"), 400, "wrong_sender"},
			{"in capitals", mallory, about("DB1.acme.net"), evil("DB1.ACME.NET"), 400, "wrong_sender"},
			{"announced as itself", mallory, about("mallory.acme.net"), evil("db1.acme.net"), 400, "wrong_sender"},
			{"announced as the victim", mallory, about("db1.acme.net"), evil("mallory.acme.net"), 400, "wrong_sender"},
			{"in the older form", mallory, "/pdb/cmd/v1", whole, 400, "wrong_sender"},
			{"in the older form, announced as itself", mallory, "/pdb/cmd/v1?certname=mallory.acme.net", whole, 400, "wrong_sender"},
			{"a forwarder that mixes two", forwarder, about("web1.acme.net"), evil("db1.acme.net"), 400, "wrong_sender"},
		} {
			status, text := post(test.cert, test.path, test.body)
			if status != test.status || !strings.Contains(text, test.code) {
				t.Errorf("%s, %s: answered %d %s, want %d %s", name, test.who, status, text, test.status, test.code)
			}
			if after := record(); after != before {
				t.Fatalf("%s, %s changed the record from\n%s\nto\n%s", name, test.who, before, after)
			}
		}
	}
	if n := r.Stats().Refused["wrong_sender"]; n != 7*4 {
		t.Errorf("%d commands were counted as another's, want %d", n, 7*4)
	}
	path, body = command("replace_catalog", 9, "db1.acme.net", later, `"resources":[{"type":"Class","title":"Mysql"}]`)
	if status, text := post(forwarder, path, body); status != http.StatusOK {
		t.Errorf("the forwarder answered %d %s", status, text)
	}
	if n, _ := r.Node("db1.acme.net"); !slices.Equal(n.Classes, []string{"mysql"}) || n.Sections[registry.Catalog].Auth != "forwarder puppet1.acme.net" {
		t.Errorf("the node is %+v", n)
	}
}

// A command that cannot be stored is not acknowledged: the Puppet server goes
// on with its next PuppetDB, or fails.
func TestCommandsThatAreNotStored(t *testing.T) {
	path, body := command("replace_facts", 5, "a.net", now, "")
	a := send(t, serve(t, &fake{err: io.ErrShortWrite}), "POST", path, body, nil)
	if a.status != http.StatusServiceUnavailable || strings.Contains(a.text, "uuid") {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	huge := `{"certname":"a.net","values":{"x":"` + strings.Repeat("y", api.MaxRegistrations) + `"}}`
	if a := send(t, serve(t, &fake{}), "POST", path, huge, nil); a.status != http.StatusRequestEntityTooLarge || a.errorCode() != "too_large" {
		t.Errorf("a command that is too large answered %d %s", a.status, a.text)
	}
	packed := gzipped(t, body, 9)
	if a := send(t, serve(t, &fake{}), "POST", path, packed, http.Header{"Content-Encoding": {"gzip"}, "X-Uncompressed-Length": {fmt.Sprint(len(body))}}); a.status != http.StatusOK {
		t.Errorf("a compressed command answered %d %s", a.status, a.text)
	}
	if a := send(t, serve(t, &fake{}), "POST", path+"&secondsToWaitForCompletion=5", body, nil); a.body["processed"] != true || a.body["timed_out"] != false {
		t.Errorf("a command that is waited for answered %s", a.text)
	}
}

func TestWhatClientsProbe(t *testing.T) {
	h := serve(t, &fake{})
	var version struct{ Version string }
	if a := get(t, h, "/pdb/meta/v1/version"); json.Unmarshal([]byte(a.text), &version) != nil || version.Version != "7.12.1" {
		t.Errorf("the version is %s", a.text)
	}
	if a := get(t, h, "/pdb/meta/v1/server-time"); a.body["server_time"] != "2026-11-27T12:00:00.000Z" {
		t.Errorf("the time is %s", a.text)
	}
	status := get(t, h, "/status/v1/services").body["puppetdb-status"].(map[string]any)
	if status["state"] != "running" || status["status"].(map[string]any)["write_db_up?"] != true {
		t.Errorf("the status is %v", status)
	}
	if a := get(t, serve(t, &fake{ready: io.ErrClosedPipe}), "/status/v1/services"); a.status != 503 || !strings.Contains(a.text, `"state":"starting"`) {
		t.Errorf("while it is loading the status is %d %s", a.status, a.text)
	}
}

// No secret of a command is in the log, whatever becomes of the command.
func TestCommandsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	s, err := api.New(api.Config{Registry: &fake{}, Open: true, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"replace_facts", "replace_catalog_inputs", "nonsense"} {
		path, body := command(name, 5, "a.net", now, `"values":{"x":"CANARY"},"inputs":["CANARY"]`)
		for _, body := range []string{body, body + "CANARY"} {
			r, err := http.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			s.ServeHTTP(discard{}, r)
		}
	}
	if log.Len() == 0 || strings.Contains(log.String(), "CANARY") {
		t.Errorf("the log is %s", log.String())
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
