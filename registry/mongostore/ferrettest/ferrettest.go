// Package ferrettest starts a server that speaks MongoDB's wire protocol, for
// tests:
//
//	uri := ferrettest.Start(t)
//
// It builds the module internal/ferret, which takes a few seconds, or two
// minutes where its libraries have never been built. The server is for few
// documents: it takes some milliseconds for each, and looks at all of them for
// every question.
package ferrettest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Start builds and starts a server with nothing in it, which ends with the
// test, and returns its address.
func Start(t testing.TB) string {
	t.Helper()
	program := filepath.Join(programs(t), "ferret")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = source(t)
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v\n%s", err, out)
	}
	server := exec.Command(program)
	var stderr strings.Builder
	server.Stderr = &stderr
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // this ends the server
		if err := server.Wait(); err != nil {
			t.Logf("the server ended with %v: %s", err, stderr.String())
		}
	})
	uri, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not say its address: %v: %s", err, stderr.String())
	}
	return strings.TrimSpace(uri)
}

// programs is a folder that outlives the test, so that the next one finds the
// program built.
func programs(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		return t.TempDir()
	}
	dir := filepath.Join(cache, "muster-tests")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// source is the folder of the server's module.
func source(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		candidate := filepath.Join(dir, "internal", "ferret")
		if _, err := os.Stat(filepath.Join(candidate, "go.mod")); err == nil {
			return candidate
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the module internal/ferret is not in any folder above")
		}
		dir = up
	}
}
