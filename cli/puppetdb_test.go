package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/api"
	"muster/cli"
	"muster/registry"
	"muster/registry/index/indextest"
)

// registryServer is a registry that is open on loopback; with its wire it
// stands for a PuppetDB too.
func registryServer(t *testing.T) (*registry.Registry, string) {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return r, h.URL
}

// muster runs one command against a server.
func muster(t *testing.T, server string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	w := &world{dir: t.TempDir(), env: map[string]string{"MUSTER_SERVER": server}}
	w.env["MUSTER_RUN_FILE"] = filepath.Join(w.dir, "run.json")
	status = cli.Run(t.Context(), w.surroundings(args, &out, &problems))
	return status, out.String(), problems.String()
}

// A site brings its PuppetDB's nodes over, asks both the same questions, and is
// told of what is not the same, and why.
func TestShadowingAPuppetDB(t *testing.T) {
	theirs, puppetdb := registryServer(t)
	ours, server := registryServer(t)
	for i := range 230 { // more than a page
		n := indextest.Fleet{Slim: true}.Node(i)
		for source, reg := range map[registry.Source]registry.Registration{
			registry.PuppetFacts: {Facts: n.Facts}, registry.Catalog: {Classes: n.Classes}, registry.Trusted: {Facts: map[string]any{"certname": n.Identity}},
		} {
			reg.Identity, reg.Source = n.Identity, source
			if _, err := theirs.Register(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, out, problems := muster(t, server, "import", "--puppetdb", puppetdb, "--no-progress")
	if status != 0 || out != "230 accepted, 0 refused\n" {
		t.Fatalf("import ended with %d: %s%s", status, out, problems)
	}
	first := indextest.Fleet{Slim: true}.Node(0)
	n, ok := ours.Node(first.Identity)
	if !ok || n.Sections[registry.Import] == nil || n.Trusted != nil || !slices.Contains(n.Classes, "timezone") || n.Facts["customer"] != first.Facts["customer"] {
		t.Errorf("the node came over as %+v", n)
	}
	status, out, problems = muster(t, server, "compare", "--puppetdb", puppetdb, "--questions", "60")
	if status != 0 || out != "60 questions: 60 answered alike, 0 with differences that are explained, 0 with others\n" {
		t.Fatalf("compare ended with %d: %s%s", status, out, problems)
	}
	for i := range 60 { // every node of the sample may be asked about
		changed := indextest.Fleet{Slim: true}.Node(i)
		reg := registry.Registration{Identity: changed.Identity, Source: registry.Daemon, Facts: map[string]any{"customer": "other", "os": "other"}}
		if _, err := ours.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ours.Register(t.Context(), registry.Registration{Identity: "new.example.net", Source: registry.Daemon, Facts: map[string]any{"customer": "acme"}}); err != nil {
		t.Fatal(err)
	}
	status, out, problems = muster(t, server, "compare", "--puppetdb", puppetdb, "--questions", "150", "--json")
	var report struct {
		Alike, Explained, Unexplained int
		Reasons                       map[string]int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 0 || report.Explained == 0 || report.Unexplained != 0 || report.Alike+report.Explained != 150 {
		t.Fatalf("compare ended with %d: %s%s", status, out, problems)
	}
	reasons := fmt.Sprint(report.Reasons)
	for _, why := range []string{"the PuppetDB does not have the node", `and "other" in muster`} {
		if !strings.Contains(reasons, why) {
			t.Errorf("the reasons are %s, without %q", reasons, why)
		}
	}
}

// What is not a PuppetDB, or is not there, is said so, and nothing is imported.
func TestNoPuppetDB(t *testing.T) {
	_, server := registryServer(t)
	down := httptest.NewServer(nil)
	down.Close()
	wrong := httptest.NewServer(nil)
	t.Cleanup(wrong.Close)
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"import", "--puppetdb", "puppetdb:8081"}, 2, "is not an address"},
		{[]string{"import", "--puppetdb", down.URL, "file.json"}, 2, "not from both"},
		{[]string{"import", "--puppetdb", down.URL}, 1, "does not answer"},
		{[]string{"import", "--puppetdb", wrong.URL}, 1, "404"},
		{[]string{"compare"}, 2, "--puppetdb URL"},
		{[]string{"compare", "--puppetdb", down.URL}, 1, "does not answer"},
		{[]string{"compare", "--puppetdb", server}, 1, "no nodes"},
		{[]string{"compare", "--puppetdb", server, "--questions", "0"}, 2, "--questions"},
	} {
		status, out, problems := muster(t, server, test.args...)
		if status != test.status || !strings.Contains(problems, test.says) || out != "" {
			t.Errorf("%v ended with %d: %s%s, want %d and %q", test.args, status, out, problems, test.status, test.says)
		}
	}
}
