package cli_test

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
)

const encRules = `enc:
  cache: CACHE
  timeout: 2s
  rules:
    - classes: [base]
      parameters: {site: main, level: 1}
    - query: trusted.extensions.pp_role = db
      classes: {mysql::server: {port: 3306, options: {a: [1, 2]}}, base: {level: 2}}
      parameters: {level: 2}
      environment: production
    - query: customer=acme
      from: {customer: customer, rack: rack, role: trusted.extensions.pp_role}
`

const encDefault = `  default:
    classes: [unclassified]
    environment: quarantine
`

// encWorld is a registry that can go away, and settings that ask it.
func encWorld(t *testing.T, settings string) (w *world, server *httptest.Server) {
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
	for _, reg := range []registry.Registration{
		{Identity: "db1.acme.net", Auth: "cert", Facts: map[string]any{"customer": "acme", "rack": int64(7)}, Classes: []string{"mysql::server"}},
		{Identity: "db1.acme.net", Source: registry.Trusted, Auth: "forwarder p", Facts: map[string]any{"extensions": map[string]any{"pp_role": "db"}}},
		{Identity: "web1.acme.net", Auth: "cert", Facts: map[string]any{"customer": "acme", "trusted": map[string]any{"extensions": map[string]any{"pp_role": "db"}}}},
		{Identity: "other", Auth: "cert"},
	} {
		if _, err := r.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewServer(s)
	t.Cleanup(server.Close)
	w = &world{dir: t.TempDir(), env: map[string]string{}}
	text := "servers: [" + server.URL + "]\n" + strings.Replace(settings, "CACHE", filepath.Join(w.dir, "enc"), 1)
	w.env["MUSTER_CONFIG"] = filepath.Join(w.dir, "muster.yaml")
	if err := os.WriteFile(w.env["MUSTER_CONFIG"], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return w, server
}

func (w *world) enc(t *testing.T, name string, status int) (yaml, remarks string) {
	t.Helper()
	r := w.run(t, "muster", "enc", name)
	if r.status != status {
		t.Errorf("enc %s: status %d, want %d\n%s%s", name, r.status, status, r.stdout, r.stderr)
	}
	return r.stdout, r.stderr
}

const db1Is = `classes:
  base:
    level: 2
  mysql::server:
    options:
      a:
        - 1
        - 2
    port: 3306
parameters:
  customer: acme
  level: 2
  rack: 7
  role: db
  site: main
environment: production
`

func TestENCFollowsItsRules(t *testing.T) {
	w, _ := encWorld(t, encRules)
	for name, want := range map[string]string{
		"db1.acme.net": db1Is,
		"DB1.acme.net": db1Is,
		// A node says of itself what it likes, but that is no trusted fact.
		"web1.acme.net": "classes:\n  base: {}\nparameters:\n  customer: acme\n  level: 1\n  site: main\n",
		"nobody":        "classes:\n  base: {}\nparameters:\n  level: 1\n  site: main\n",
	} {
		if got, remarks := w.enc(t, name, 0); got != want || remarks != "" {
			t.Errorf("%s is\n%s%swant\n%s", name, got, remarks, want)
		}
	}
	nothing, _ := encWorld(t, "enc:\n  cache: CACHE\n")
	if got, _ := nothing.enc(t, "nobody", 0); got != "classes: {}\nparameters: {}\n" {
		t.Errorf("without rules a node is %q", got)
	}
}

// Without the registry, what was last known serves, whatever is the matter.
func TestENCWithoutTheRegistry(t *testing.T) {
	w, server := encWorld(t, encRules)
	w.enc(t, "db1.acme.net", 0)
	w.enc(t, "nobody", 0)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	half := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "1000")
		_, _ = rw.Write([]byte(`{"identity":"db1.acme.net"}`))
	}))
	t.Cleanup(half.Close)
	forbidding := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(forbidding.Close)
	server.Close()
	for _, url := range []string{server.URL, slow.URL, half.URL, forbidding.URL} {
		w.env["MUSTER_SERVER"] = url
		got, remarks := w.enc(t, "db1.acme.net", 0)
		if got != db1Is || !strings.Contains(remarks, "what was known") {
			t.Errorf("%s: db1 is\n%s%s", url, got, remarks)
		}
		if got, _ := w.enc(t, "nobody", 0); !strings.HasPrefix(got, "classes:\n  base: {}") {
			t.Errorf("a node that was unknown is\n%s", got)
		}
		got, remarks = w.enc(t, "web1.acme.net", 1)
		if got != "" || !strings.Contains(remarks, "nothing can be said of web1.acme.net: ") {
			t.Errorf("a node never asked about is\n%s%s", got, remarks)
		}
	}
}

func TestENCDefault(t *testing.T) {
	rules := "enc:\n  cache: CACHE\n  rules: [{query: customer=acme, classes: [base]}]\n" + encDefault
	w, server := encWorld(t, rules)
	const unclassified = "classes:\n  unclassified: {}\nparameters: {}\nenvironment: quarantine\n"
	for name, want := range map[string]string{"db1.acme.net": "classes:\n  base: {}\nparameters: {}\n", "other": unclassified, "nobody": unclassified} {
		if got, _ := w.enc(t, name, 0); got != want {
			t.Errorf("%s is\n%s", name, got)
		}
	}
	server.Close()
	if got, remarks := w.enc(t, "web1.acme.net", 0); got != unclassified || !strings.Contains(remarks, "enc.default is said") {
		t.Errorf("a node that nothing is known of is\n%s%s", got, remarks)
	}
}

// What is kept is one user's, and may be damaged.
func TestENCCache(t *testing.T) {
	w, server := encWorld(t, encRules)
	w.enc(t, "db1.acme.net", 0)
	file := filepath.Join(w.dir, "enc", "db1.acme.net.json")
	before, err := os.Stat(file)
	if err != nil || before.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", before.Mode(), err)
	}
	time.Sleep(10 * time.Millisecond) // for time stamps to differ
	w.enc(t, "db1.acme.net", 0)
	if after, err := os.Stat(file); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the same was written again (%v)", err)
	}
	server.Close()
	for _, damaged := range []string{"", `{"identity":`, "[]"} {
		if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.enc(t, "db1.acme.net", 1); got != "" {
			t.Errorf("with %q kept: %s", damaged, got)
		}
	}
	w.env["MUSTER_SERVER"] = ""
	for _, name := range []string{"../db1", "a b", "", "-x", "a@b"} {
		if r := w.run(t, "muster", "enc", "--", name); r.status != 2 || r.stdout != "" {
			t.Errorf("%q: status %d, %s", name, r.status, r.stdout)
		}
	}
	_ = filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, _ error) error {
		if strings.Contains(path, "..") {
			t.Errorf("made %s", path)
		}
		return nil
	})
}

// Under Puppet it reads what the operator wrote for the host, not what the
// user's home holds.
func TestENCReadsNoSettingsOfTheUser(t *testing.T) {
	w, _ := encWorld(t, encRules)
	own := filepath.Join(w.dir, ".config", "muster")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own, "config.yaml"), []byte("nonsense: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.dir, ".local", "state", "muster"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, ".local", "state", "muster", "run.json"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.enc(t, "db1.acme.net", 0)
	delete(w.env, "MUSTER_CONFIG")
	if r := w.run(t, "muster", "find", "x"); r.status != 2 || !strings.Contains(r.stderr, "nonsense") {
		t.Errorf("find: status %d, %s", r.status, r.stderr)
	}
}

func TestENCMistakes(t *testing.T) {
	for settings, says := range map[string]string{
		"enc: {rules: [{query: 'customer=acme and'}]}":       "rule 1: ",
		"enc: {rules: [{query: 'identity in { a=1 }'}]}":     "not about a node alone",
		"enc: {rules: [{query: 'customer=acme | limit 1'}]}": "not about a node alone",
		"enc: {rules: [{query: 'changed os within 1d'}]}":    "not about a node alone",
		"enc: {rules: [{classes: [Base]}]}":                  `"Base" is no class name`,
		"enc: {rules: [{classes: 7}]}":                       "line 2: classes must be names",
		"enc: {rules: [{parameters: {A: 1}}]}":               `"A" is no variable`,
		"enc: {rules: [{from: {trusted: x}}]}":               "$trusted is Puppet's own",
		"enc: {default: {environment: a-b}}":                 `"a-b" is no environment`,
		"enc: {rules: [{classess: [a]}]}":                    `there is no key "classess"; the nearest is "classes"`,
	} {
		w, _ := encWorld(t, settings)
		if got, remarks := w.enc(t, "db1.acme.net", 2); got != "" || !strings.Contains(remarks, says) {
			t.Errorf("%s: %s%s", settings, got, remarks)
		}
	}
}
