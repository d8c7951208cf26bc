package durable_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"muster/internal/durable"
)

func TestWriteReplacesAndKeepsItPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("a longer old content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o, want 600", info.Mode().Perm())
	}
}

// A write that fails leaves nothing behind and the old file as it was.
func TestFailedWriteLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := durable.Write(path, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("got error %v, want one that names %s", err, path)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := durable.Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a folder that does not exist was no error")
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.Write(path, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is not there any more
		if err := durable.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("got %v, want that it is gone", err)
	}
}

// Without the lock, some of these additions would be lost.
func TestLockKeepsOthersOut(t *testing.T) {
	dir := t.TempDir()
	path, lock := filepath.Join(dir, "n"), filepath.Join(dir, "lock")
	if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const adders, times = 4, 25
	var all sync.WaitGroup
	for range adders {
		all.Go(func() {
			for range times {
				unlock, err := durable.Lock(lock)
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := os.ReadFile(path)
				n, _ := strconv.Atoi(string(text))
				if err := os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
					t.Error(err)
				}
				unlock()
			}
		})
	}
	all.Wait()
	if got, _ := os.ReadFile(path); string(got) != strconv.Itoa(adders*times) {
		t.Errorf("got %s, want %d", got, adders*times)
	}
}
