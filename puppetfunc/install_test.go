package puppetfunc_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/puppetfunc"
)

const function = "muster/lib/puppet/functions/search_nodes.rb"

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	if err := puppetfunc.Install(dir); err != nil {
		t.Fatal(err)
	}
	ruby, err := os.ReadFile(filepath.Join(dir, function))
	if err != nil || !strings.Contains(string(ruby), "create_function(:search_nodes") {
		t.Errorf("the function is %.60q, %v", ruby, err)
	}
	var meta struct{ Name string }
	text, err := os.ReadFile(filepath.Join(dir, "muster/metadata.json"))
	if err != nil || json.Unmarshal(text, &meta) != nil || meta.Name != "muster-muster" {
		t.Errorf("metadata.json is %s, %v", text, err)
	}
	before := stamps(t, dir)
	time.Sleep(10 * time.Millisecond) // for time stamps to differ
	if err := puppetfunc.Install(dir); err != nil {
		t.Fatal(err)
	}
	for name, at := range stamps(t, dir) {
		if !at.Equal(before[name]) {
			t.Errorf("the second Install wrote %s", name)
		}
	}
}

func stamps(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		out[path] = info.ModTime()
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("nothing was installed: %v", err)
	}
	return out
}

// What somebody wrote there themselves is named and kept, and nothing else is
// written either.
func TestInstallKeepsForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, function)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := puppetfunc.Install(dir); err == nil || !strings.Contains(err.Error(), function) {
		t.Errorf("Install returned %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "# mine\n" {
		t.Errorf("the file is now %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "muster/metadata.json")); err == nil {
		t.Error("another file was written")
	}
}

// A file of an earlier version is replaced, one that was edited since is not.
func TestInstallTellsOldFromEdited(t *testing.T) {
	dir := t.TempDir()
	if err := puppetfunc.Install(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, function)
	edited := []byte("# an older version\n")
	if err := os.WriteFile(path, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := puppetfunc.Install(dir); err == nil {
		t.Fatal("an edited file was replaced")
	}
	text, err := json.Marshal(map[string]string{function: fmt.Sprintf("%x", sha256.Sum256(edited))})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "muster/.installed.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := puppetfunc.Install(dir); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) == string(edited) {
		t.Errorf("the older version stays: %v", err)
	}
}

func TestInstallNeedsAFolder(t *testing.T) {
	if err := puppetfunc.Install(filepath.Join(t.TempDir(), "nosuch")); err == nil || !strings.Contains(err.Error(), "modulepath") {
		t.Errorf("Install returned %v", err)
	}
}

// A link does not lead an installation out of its folder.
func TestInstallStaysInItsFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "muster")); err != nil {
		t.Fatal(err)
	}
	if err := puppetfunc.Install(dir); err == nil {
		t.Error("Install followed a link out of its folder")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside lies %v, %v", entries, err)
	}
}
