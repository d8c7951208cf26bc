package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/agent/facts"
	"muster/registry"
)

func file(t *testing.T, path, text string, age time.Duration) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	when := time.Now().Add(-age)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClasses(t *testing.T) {
	dir := t.TempDir()
	fresh := file(t, filepath.Join(dir, "fresh.txt"), "settings\nmain\nmysql::master\n\n apache \nmysql::master\r\n", time.Minute)
	old := file(t, filepath.Join(dir, "old.txt"), "common\napache\n", 5*time.Hour)
	c := agent.Collector{Facts: facts.Source{Facter: "off"}, ClassFiles: []string{fresh, filepath.Join(dir, "none.txt"), old}}
	s := c.Collect(t.Context())
	if !slices.Equal(s.Classes, []string{"mysql::master", "apache", "common"}) {
		t.Errorf("classes %q", s.Classes)
	}
	if len(s.Warnings) != 2 || !strings.Contains(s.Warnings[0], "none.txt: no such file") || !strings.Contains(s.Warnings[1], "old.txt is 5h0m0s old") {
		t.Errorf("warnings %q", s.Warnings)
	}
	if s.Facts["kernel"] == nil || time.Since(s.Taken) > time.Minute {
		t.Errorf("kernel %v, taken %v", s.Facts["kernel"], s.Taken)
	}
	c.ClassesStale = 6 * time.Hour
	c.ClassFiles = []string{old}
	if s := c.Collect(t.Context()); len(s.Warnings) != 0 {
		t.Errorf("warnings %q", s.Warnings)
	}
	c.ClassFiles = []string{file(t, filepath.Join(dir, "big.txt"), strings.Repeat("x\n", 600_000), 0)}
	if s := c.Collect(t.Context()); len(s.Classes) != 0 || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "larger than 1 MiB") {
		t.Errorf("%d classes, warnings %q", len(s.Classes), s.Warnings)
	}
}

func TestTheDefaultIdentityIsOne(t *testing.T) {
	name, err := agent.DefaultIdentity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.ParseIdentity(name); err != nil || name != strings.ToLower(name) {
		t.Errorf("%q: %v", name, err)
	}
}
