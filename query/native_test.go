package query

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files with what the code says now")

// testNow is the clock of the tests.
var testNow = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to rewrite it):\n%s", file, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d:\ngot  %s\nwant %s", i+1, g[i], strings.Join(w[i:min(i+1, len(w))], ""))
		}
	}
	return "lines are missing at the end"
}

// Every line of the golden inputs, as read, as printed, in words, or with its
// mistake as the user sees it.
func TestGolden(t *testing.T) {
	for _, d := range []Dialect{"native", "select", "with"} {
		input, err := os.ReadFile("testdata/golden/" + string(d) + ".in")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		lines := 0
		for line := range strings.Lines(string(input)) {
			line = strings.TrimSuffix(line, "\n")
			lines++
			fmt.Fprintf(&b, "%s\n", line)
			o := options(d)
			o.Live = strings.Contains(line, "fstat")
			q, err := Parse(line, o)
			if syn, ok := errors.AsType[*SyntaxError](err); ok {
				fmt.Fprintf(&b, "\terror: %v\n\t\t%s\n", syn, strings.ReplaceAll(syn.Snippet(), "\n", "\n\t\t"))
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			printed, err := Format(q, d)
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			fmt.Fprintf(&b, "\t%s\n\t%s\n", queryTree(q), printed)
			for words := range strings.Lines(Words(q.Filter)) {
				fmt.Fprintf(&b, "\t| %s", words)
			}
			b.WriteString("\n")
			for _, w := range (Vocabulary{}).Warnings(q) {
				fmt.Fprintf(&b, "\twarning: %s\n", w)
			}
		}
		if lines < 20 {
			t.Errorf("testdata/golden/%s.in has only %d lines", d, lines)
		}
		golden(t, "testdata/golden/"+string(d)+".golden", b.String())
	}
}

// fleet is a few nodes that the tests of meaning ask.
func fleet() []*Document {
	return []*Document{
		{
			Identity: "web1.acme.net", State: "active", Auth: "cert", Seen: testNow.Add(-time.Hour),
			Classes: []string{"settings", "Apache::Mod::Php", "mysql::client"}, Agents: []string{"puppet", "rpcutil"}, Collectives: []string{"mcollective", "eu"},
			Facts: map[string]any{
				"os": map[string]any{"name": "Debian", "release": map[string]any{"major": "12", "full": "12.5"}}, "os.family": "flat",
				"cpus": int64(4), "memory": 7821.34, "uptime": "9", "virtual": true, "kernelversion": "2.6.32", "site": "ams", "ip": "10.1.2.3",
				"roles": []any{"web", "proxy"}, "ports": []any{int64(80), int64(443)}, "none": []any{}, "retired": nil, "class": "fact",
				"disks":      map[string]any{"sda": map[string]any{"size": int64(50), "type": "ssd"}, "sdb": map[string]any{"size": int64(200), "type": "hdd"}},
				"networking": map[string]any{"interfaces": map[string]any{"eth0": map[string]any{"ip": "10.1.2.3"}, "eth1": map[string]any{"ip": "fe80::1%eth1"}}},
				"mounts":     []any{map[string]any{"path": "/", "free": int64(5)}, map[string]any{"path": "/var", "free": int64(90)}},
				"expiry":     "2026-12-24", "version": "1.2.0-rc1", "empty": "",
			},
			Trusted: map[string]any{"extensions": map[string]any{"pp_role": "web"}},
			Extra:   map[string]any{"fstat": map[string]any{"/etc/hosts": map[string]any{"mode": "100644"}}},
		},
		{
			Identity: "db1.acme.net", State: "stale", Seen: testNow.Add(-50 * time.Hour),
			Classes: []string{"settings", "::mysql::master"}, Agents: []string{"rpcutil"}, Collectives: []string{"mcollective"},
			Facts: map[string]any{
				"os": map[string]any{"name": "CentOS", "family": "RedHat", "release": map[string]any{"major": "7"}}, "cpus": "16", "memory": "64000", "uptime": int64(10), "virtual": "true",
				"kernelversion": "2.6.9", "site": "fra", "ip": "192.168.7.20/24", "roles": []any{"db"}, "version": "1.2.0", "big": "9007199254740993",
			},
		},
		{Identity: "bare.acme.net", State: "expired"},
	}
}

func who(q *Query) string {
	var names []string
	for _, doc := range fleet() {
		if Matches(q.Filter, doc, testNow) {
			name, _, _ := strings.Cut(doc.Identity, ".")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// What every operator selects.
func TestMeaning(t *testing.T) {
	text, err := os.ReadFile("testdata/meaning.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		text, want, ok := strings.Cut(line, " -> ")
		if !ok {
			t.Fatalf("%q has no ->", line)
		}
		o := options("native")
		if rest, ok := strings.CutPrefix(text, "select: "); ok {
			text, o.Dialect = rest, "select"
		}
		q, err := Parse(strings.TrimSpace(text), o)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := who(q); got != strings.TrimSuffix(want, "nobody") {
			t.Errorf("%s: got %q, want %q; read as %s", text, got, want, Tree(q.Filter))
		}
	}
	if lines < 100 {
		t.Errorf("only %d lines", lines)
	}
}
