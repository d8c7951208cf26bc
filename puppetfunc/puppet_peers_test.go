//go:build peers

package puppetfunc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"muster/api"
	"muster/puppetfunc"
	"muster/registry"
)

const certname = "puppet.example.net"

// puppet is a Puppet of its own, with the module installed.
type puppet struct{ conf, state, modules string }

func newPuppet(t *testing.T, settings string) puppet {
	t.Helper()
	p := puppet{conf: t.TempDir(), state: t.TempDir(), modules: t.TempDir()}
	if err := puppetfunc.Install(p.modules); err != nil {
		t.Fatal(err)
	}
	p.write(t, "puppet.conf", "[main]\ncertname = "+certname+"\nssldir = "+filepath.Join(p.conf, "ssl")+"\n")
	if settings != "" {
		p.write(t, "muster.yaml", settings)
	}
	return p
}

func (p puppet) write(t *testing.T, name, text string) string {
	t.Helper()
	return write(t, filepath.Join(p.conf, name), text)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// apply runs the real puppet apply. Facts are read from a file that is not
// there: collecting them takes longer than everything else.
func (p puppet) apply(t *testing.T, manifest string) (stdout, stderr string, status int) {
	t.Helper()
	return p.applyWith(t, nil, manifest)
}

func (p puppet) applyWith(t *testing.T, flags []string, manifest string) (stdout, stderr string, status int) {
	t.Helper()
	args := append([]string{
		"apply", "--color=false", "--facts_terminus=yaml",
		"--confdir", p.conf, "--vardir", p.state, "--modulepath", p.modules, "-e", manifest,
	}, flags...)
	cmd := exec.CommandContext(t.Context(), "puppet", args...)
	cmd.Env = append(os.Environ(), "http_proxy=http://127.0.0.1:1", "LC_ALL=C.UTF-8") // a proxy is never asked
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), complaint.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), 0
}

// code is a piece of Puppet code, and where it is evaluated.
type code struct {
	in    puppet
	text  string
	facts map[string]any
}

// result is what it yields: a value, or an error in Puppet's words.
type result struct {
	Value    json.RawMessage
	Error    string
	Warnings []string
}

// evaluate runs pieces of code in one process of the real Puppet.
func evaluate(t *testing.T, codes ...code) []result {
	t.Helper()
	var cases []map[string]any
	for _, c := range codes {
		cases = append(cases, map[string]any{"confdir": c.in.conf, "modules": c.in.modules, "code": c.text, "facts": c.facts})
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "ruby", "testdata/evaluate.rb")
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "http_proxy=http://127.0.0.1:1", "LC_ALL=C.UTF-8") // a proxy is never asked
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	output, err := cmd.Output()
	var results []result
	if err != nil || json.Unmarshal(output, &results) != nil || len(results) != len(codes) {
		t.Fatalf("%v: %s%s", err, output, complaint.String())
	}
	return results
}

// notices are the texts that a manifest's notice calls printed.
func notices(stdout string) []string {
	var out []string
	for line := range strings.Lines(stdout) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Notice: Scope(Class[main]): "); ok {
			out = append(out, text)
		}
	}
	return out
}

// fleet is a registry with four nodes in it.
func fleet(t *testing.T) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range []struct{ name, customer, environment, ip, class string }{
		{"web1.acme.net", "acme", "development", "10.0.0.2", "apache"},
		{"db1.acme.net", "acme", "development", "10.0.0.1", "mysql::master"},
		{"db2.acme.net", "acme", "production", "10.0.0.3", "mysql::master"},
		{"db1.zenith.net", "zenith", "development", "10.0.1.1", "mysql::master"}, // as Puppet itself compiled it
	} {
		facts := map[string]any{
			"customer": n.customer, "environment": n.environment,
			"networking": map[string]any{"ip": n.ip, "mtu": int64(1500)},
		}
		if n.name == "db1.acme.net" {
			facts["rack"] = int64(7)
		}
		if n.customer == "zenith" {
			compiled := registry.Registration{Identity: n.name, Source: registry.Catalog, Auth: "forwarder puppet", Classes: []string{n.class}}
			if _, err := r.Register(t.Context(), compiled); err != nil {
				t.Fatal(err)
			}
		}
		_, err := r.Register(t.Context(), registry.Registration{Identity: n.name, Auth: "cert", Classes: []string{n.class}, Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func openServer(t *testing.T) string {
	t.Helper()
	s, err := api.New(api.Config{Registry: fleet(t), Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.URL
}

func TestSearchNodesAnswers(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "server: "+openServer(t)+"\n")
	table := []struct{ name, call, want string }{
		{"words", `search_nodes("customer=acme mysql::master")`, `["db1.acme.net","db2.acme.net"]`},
		{"an expression", `search_nodes("customer=acme and !environment=production")`, `["db1.acme.net","web1.acme.net"]`},
		{
			"Mongo text with interpolation",
			`search_nodes("{'facts.customer': '${customer}', 'facts.environment':${env}, classes: 'mysql::master'}")`,
			`["db1.acme.net"]`,
		},
		{"a hash", `search_nodes({ 'facts.customer' => 'acme', 'classes' => 'mysql::master' })`, `["db1.acme.net","db2.acme.net"]`},
		{"a hash with operators", `search_nodes({ 'facts.environment' => { '$in' => ['development'] }, 'identity' => /^db/ })`, `["db1.acme.net","db1.zenith.net"]`},
		{"bound in order", `search_nodes('customer=? mysql::master', { 'params' => [$customer] })`, `["db1.acme.net","db2.acme.net"]`},
		{"bound by name", `search_nodes('customer=$c', { 'params' => { 'c' => 'zenith' } })`, `["db1.zenith.net"]`},
		{"bound, not parsed", `search_nodes('customer=?', { 'params' => ['acme mysql::master'] })`, `[]`},
		{"a fact", `search_nodes('mysql::master', { 'return' => 'networking.ip' })`, `["10.0.0.1","10.0.1.1","10.0.0.3"]`},
		{
			"a list of paths", `search_nodes('apache', { 'return' => ['networking.ip', 'networking.mtu', 'rack'] })`,
			`[{"identity":"web1.acme.net","networking.ip":"10.0.0.2","networking.mtu":1500,"rack":null}]`,
		},
		{"everything", `search_nodes('apache', { 'return' => 'full' })[0]['facts']['networking']['mtu'] + 1`, `1501`},
		{"a limit", `search_nodes('mysql::master', { 'limit' => 1 })`, `["db1.acme.net"]`},
		{"sorted by a fact", `search_nodes('mysql::master', { 'sort' => 'facts.networking.ip' })`, `["db1.acme.net","db2.acme.net","db1.zenith.net"]`},
		{"in a state", `search_nodes('mysql::master', { 'state' => 'expired' })`, `[]`},
		{"in a dialect", `search_nodes('["=", "certname", "db1.acme.net"]', { 'dialect' => 'ast' })`, `["db1.acme.net"]`},
		{"nobody", `search_nodes('customer=nobody')`, `[]`},
		{
			"Mongo text, bound", `search_nodes("{'facts.customer': ?, classes: 'mysql::master'}", { 'params' => [$customer] })`,
			`["db1.acme.net","db2.acme.net"]`,
		},
		{"Mongo text, bound by name", `search_nodes('{facts.customer: $c}', { 'params' => { 'c' => 'zenith' } })`, `["db1.zenith.net"]`},
		{"an operator, bound, is no operator", `search_nodes("{'facts.customer': ?}", { 'params' => [{ '$ne' => '' }] })`, `[]`},
		{"a number, bound, is a number", `search_nodes("{'facts.rack': ?}", { 'params' => [7] })`, `["db1.acme.net"]`},
		{"full names", `search_nodes('apache', { 'return' => 'fqdn' })`, `["web1.acme.net"]`},
		{"a fact that no node has, allowed", `search_nodes('apache', { 'return' => 'ec2.ip', 'unknown' => 'allow' })`, `[null]`},
		{"classes of catalogs", `search_nodes('mysql::master', { 'source' => 'catalog' })`, `["db1.zenith.net"]`},
		{"heard of lately", `search_nodes('apache', { 'max_age' => '1h' })`, `["web1.acme.net"]`},
		{"some", `search_nodes('apache', { 'expect' => 'some' })`, `["web1.acme.net"]`},
		{"a default", `search_nodes('customer=nobody', { 'expect' => 'some', 'default' => ['db9'] })`, `["db9"]`},
		{"one", `search_node('apache')`, `"web1.acme.net"`},
		{"one's address", `search_node('apache', { 'return' => 'networking.ip' })`, `"10.0.0.2"`},
		{"one or nothing", `search_node('customer=nobody', { 'default' => undef })`, `null`},
		{"one node", `load_node('db1.acme.net')['facts']['rack'] + load_node('DB1.acme.net')['facts']['rack']`, `14`},
		{"the name that templates of old look for", `load_node('db1.acme.net')['fqdn']`, `"db1.acme.net"`},
		{"no node", `load_node('nobody.acme.net')`, `null`},
		{"the set-up of old", `search_setup('localhost', 'puppet', 'nodes')`, `null`},
	}
	var codes []code
	for _, test := range table {
		codes = append(codes, code{in: p, text: `$customer = 'acme' $env = 'development' ` + test.call})
	}
	for i, r := range evaluate(t, codes...) {
		if got := string(r.Value); r.Error != "" || got != table[i].want {
			t.Errorf("%s: %s gave %s %s, want %s", table[i].name, table[i].call, got, r.Error, table[i].want)
		}
	}
}

// One sentence, and no list: not an empty one either.
func TestSearchNodesFailsTheCompilation(t *testing.T) {
	t.Parallel()
	real := openServer(t)
	answers := func(status int, body string) string {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(h.Close)
		return h.URL
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"count":0,"complete":true,"nodes":[]}`)
	}))
	t.Cleanup(cut.Close)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the client has gone
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	table := []struct{ name, settings, call, says string }{
		{"no server", "server: http://127.0.0.1:1", `search_nodes('x')`, "no server answered: http://127.0.0.1:1: Failed to open TCP connection"},
		{"no server of several", "servers: ['http://127.0.0.1:1', 'http://127.0.0.1:2']", `search_nodes('x')`, "; http://127.0.0.1:2: Failed"},
		{"slow", "server: " + slow.URL + "\ntimeout: 1", `search_nodes('x')`, "no answer within 1 seconds"},
		{"cut off", "server: " + cut.URL, `search_nodes('x')`, "half an answer: 38 of 1000 bytes"},
		{"half by count", "server: " + answers(200, `{"count":2,"complete":true,"nodes":["a"]}`), `search_nodes('x')`, "half an answer: it announces 2 nodes and holds 1"},
		{"half by its own word", "server: " + answers(200, `{"count":1,"complete":false,"nodes":["a"]}`), `search_nodes('x')`, "not complete"},
		{"an empty object", "server: " + answers(200, `{}`), `search_nodes('x')`, "no list of nodes"},
		{"not JSON", "server: " + answers(200, `<html>`), `search_nodes('x')`, "not JSON"},
		{"a list", "server: " + answers(200, `[]`), `search_nodes('x')`, "no object"},
		{"loading", "server: " + answers(503, `{"error":{"code":"unavailable","message":"the registry is still loading its nodes"}}`), `search_nodes('x')`, "HTTP 503: the registry is still loading its nodes"},
		{"moved", "server: " + answers(302, `{}`), `search_nodes('x')`, "HTTP 302"},
		{"not understood", "server: " + real, `search_nodes('customer=acme and')`, "the query was refused: "},
		{"a bad server", "server: ftp://x", `search_nodes('x')`, "'ftp://x' is not the address of a server"},
		{"an unknown setting", "servr: x", `search_nodes('x')`, "unknown key 'servr'; known are server, servers"},
		{"an unknown setting for TLS", "ssl: {cafile: x}", `search_nodes('x')`, "unknown key 'ssl.cafile'"},
		{"not YAML", "a: [", `search_nodes('x')`, "muster.yaml cannot be read"},
		{"no token", "token_file: /nosuch", `search_nodes('x')`, "the token cannot be read"},
		{"an unknown fact", "server: " + real, `search_nodes('custmer=acme')`, "no node has the fact custmer; want customer"},
		{"an unknown fact to return", "server: " + real, `search_nodes('apache', { 'return' => 'ec2.ip' })`, "no node has the fact ec2.ip"},
		{"a hole", "server: " + real, `search_nodes('customer=acme', { 'return' => 'rack' })`, "db2.acme.net has no 'rack'"},
		{"an unknown option", "server: " + real, `search_nodes('x', { 'retrn' => 'identity' })`, "unrecognized key 'retrn'"},
		{"none of some", "server: " + real, `search_nodes('customer=nobody', { 'expect' => 'some' })`, "no node matches, and some are expected"},
		{"two of one", "server: " + real, `search_node('customer=acme mysql::master')`, "search_node: 2 nodes match, and one is expected: db1.acme.net, db2.acme.net"},
		{"none of one", "server: " + real, `search_node('customer=nobody')`, "search_node: no node matches, and one is expected"},
		{"a node that must be known", "server: " + real, `load_node('nobody', { 'unknown' => 'error' })`, "load_node: no node is called 'nobody'"},
		{"no name", "server: " + real, `load_node('../search')`, "'load_node' parameter 'identity' expects a match"},
		{"nothing kept", "server: http://127.0.0.1:1", `search_nodes('x', { 'on_error' => 'cache' })`, "no earlier answer is kept"},
		{"no default", "server: " + real, `search_nodes('x', { 'on_error' => 'default' })`, "needs the option default"},
		{"a set-up of another kind", "", `search_setup('localhost')`, "'search_setup' expects 3 arguments"},
		{"a secret", "server: " + real, `search_nodes({ 'facts.customer' => Sensitive('x') })`, "cannot hold a value of the type Sensitive"},
	}
	var codes []code
	for _, test := range table {
		codes = append(codes, code{in: newPuppet(t, test.settings+"\n"), text: test.call})
	}
	for i, r := range evaluate(t, codes...) {
		test := table[i]
		if r.Value != nil || !strings.Contains(r.Error, test.says) {
			t.Errorf("%s gave %s %q, want an error with %q", test.name, r.Value, r.Error, test.says)
		}
		if strings.Contains(r.Error, "\n") || strings.Contains(r.Error, ".rb:") || strings.Contains(r.Error, "Net::") {
			t.Errorf("%s: want one line without Ruby in it, got\n%s", test.name, r.Error)
		}
	}
}

// A node's own facts, written into a query, are told of; bound they are not.
func TestSearchNodesTellsOfInjection(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "server: "+openServer(t)+"\n")
	mallory := map[string]any{"customer": "acme mysql::master"}
	results := evaluate(t,
		code{p, `search_nodes("customer=${facts['customer']}")`, mallory},
		code{p, `search_nodes('customer=?', { 'params' => [$facts['customer']] })`, mallory},
		code{p, `search_nodes("customer=${facts['customer']}")`, map[string]any{"customer": "acme"}},
	)
	for i, want := range []string{`["db1.acme.net","db2.acme.net"]`, `[]`, `["db1.acme.net","db2.acme.net","web1.acme.net"]`} {
		told := strings.Contains(strings.Join(results[i].Warnings, "\n"), "the value of the fact 'customer' of "+certname)
		if string(results[i].Value) != want || told != (i == 0) {
			t.Errorf("case %d gave %s %s, and warned %q", i, results[i].Value, results[i].Error, results[i].Warnings)
		}
	}
}

// The module's own tests, in Ruby.
func TestRubyUnits(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "ruby", "-W", "-I", "test", "-e", `Dir["test/*_test.rb"].sort.each { |f| require "./#{f}" }`)
	cmd.Dir = "module/muster"
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 failures, 0 errors, 0 skips") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The next server is asked where one does not answer, but not where the query
// is at fault.
func TestSearchNodesGoesOnWithTheNextServer(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(broken.Close)
	p := newPuppet(t, "servers:\n  - http://127.0.0.1:1\n  - "+broken.URL+"\n  - "+openServer(t)+"\n")
	if r := evaluate(t, code{in: p, text: "search_nodes('apache')"})[0]; string(r.Value) != `["web1.acme.net"]` {
		t.Errorf("gave %s %s", r.Value, r.Error)
	}
}

// The whole of puppet apply, as in the README.
func TestPuppetApply(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "server: "+openServer(t)+"\n")
	out, complaint, status := p.apply(t, `$m = search_nodes("customer=acme mysql::master") notice($m) notice(size($m))`)
	if got := notices(out); status != 0 || !slices.Equal(got, []string{"[db1.acme.net, db2.acme.net]", "2"}) {
		t.Errorf("gave %q, status %d\n%s", got, status, complaint)
	}
	for call, says := range map[string]string{
		`search_nodes('customer=acme and')`:                            "search_nodes: the query was refused: ",
		`search_nodes('apache', { 'server' => 'http://127.0.0.1:1' })`: "search_nodes: no server answered: http://127.0.0.1:1: ",
	} {
		out, complaint, status := p.apply(t, `$m = `+call+` notice("reached: ${m}")`)
		if status != 1 || len(notices(out)) != 0 || strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, says) {
			t.Errorf("%s: status %d, %s\n%s", call, status, out, complaint)
		}
	}
}

// Deferred runs where there is no $trusted, and no catalog is compiled.
func TestSearchNodesDeferred(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "server: "+openServer(t)+"\n")
	out, complaint, status := p.apply(t, `notify { 'x': message => Deferred('search_nodes', ['apache']) }`)
	if status != 0 || !strings.Contains(out, "web1.acme.net") {
		t.Errorf("gave %s, status %d\n%s", out, status, complaint)
	}
}

func TestSearchNodesWithAToken(t *testing.T) {
	t.Parallel()
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	secret, err := tokens.Create("puppet", api.Reader, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Config{Registry: fleet(t), Tokens: tokens, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	p := newPuppet(t, "")
	file := p.write(t, "token", secret+"\n")
	p.write(t, "muster.yaml", "server: "+h.URL+"\ntoken_file: "+file+"\n")
	without := newPuppet(t, "server: "+h.URL+"\n")
	results := evaluate(t, code{in: p, text: "search_nodes('apache')"}, code{in: without, text: "search_nodes('apache')"})
	if string(results[0].Value) != `["web1.acme.net"]` {
		t.Errorf("gave %s %s", results[0].Value, results[0].Error)
	}
	if !strings.Contains(results[1].Error, "HTTP 401: this server must know who asks") {
		t.Errorf("without a token: %s %s", results[1].Value, results[1].Error)
	}
}

// run serves on loopback until the test ends.
func run(t *testing.T, s *api.Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A real server is asked by the ETag once an answer is not fresh any more, and
// not at all while it is: however many compilations want it.
func TestSearchNodesAsksByETag(t *testing.T) {
	t.Parallel()
	s, err := api.New(api.Config{Registry: fleet(t), Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var mutex sync.Mutex
	var answers []int
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted := httptest.NewRecorder()
		s.ServeHTTP(counted, r)
		mutex.Lock()
		answers = append(answers, counted.Code)
		mutex.Unlock()
		maps.Copy(w.Header(), counted.Header())
		w.WriteHeader(counted.Code)
		_, _ = w.Write(counted.Body.Bytes())
	}))
	t.Cleanup(h.Close)
	strict, lenient := newPuppet(t, "server: "+h.URL+"\ncache: {fresh: 0}\n"), newPuppet(t, "server: "+h.URL+"\ncache: {fresh: 3600}\n")
	search := `search_nodes('customer=? mysql::master', { 'params' => ['acme'] })`
	asStored := code{in: strict, text: `load_node('db1.acme.net')['facts']['rack']`}
	results := evaluate(t, code{in: strict, text: search}, code{in: strict, text: search}, code{in: lenient, text: search}, code{in: lenient, text: search}, asStored, asStored)
	for i, want := range []string{`["db1.acme.net","db2.acme.net"]`, `["db1.acme.net","db2.acme.net"]`, `["db1.acme.net","db2.acme.net"]`, `["db1.acme.net","db2.acme.net"]`, "7", "7"} {
		if string(results[i].Value) != want {
			t.Errorf("%d: %s %s", i, results[i].Value, results[i].Error)
		}
	}
	mutex.Lock()
	defer mutex.Unlock()
	if want := []int{200, 304, 200, 304}; !slices.Equal(answers, want) {
		t.Errorf("the server answered %v, want %v", answers, want)
	}
}
