//go:build unix

package cli

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeStartsOnAFullDisk: it answers from what it has, refuses what is new in
// words, and takes it when there is room.
func TestServeStartsOnAFullDisk(t *testing.T) {
	dir, address := t.TempDir(), "https://"+freePort(t)
	settings := fmt.Sprintf("data: %s\nserve:\n  listen: %s\n  tls: true\n", dir, strings.TrimPrefix(address, "https://"))
	server, _ := startServe(t, dir, address, settings)
	c := adminOf(t, dir, address)
	add := func(names ...string) error {
		var documents []json.RawMessage
		for _, name := range names {
			documents = append(documents, json.RawMessage(fmt.Sprintf(`{"identity":%q,"facts":{"customer":"acme"}}`, name)))
		}
		_, err := c.register(t.Context(), documents)
		return err
	}
	count := func() int {
		t.Helper()
		var answer searchAnswer
		if err := c.do(t.Context(), http.MethodPost, "/v1/search", map[string]string{"q": "customer=acme"}, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Count
	}
	if err := add("db1", "db2"); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatalf("it did not end well: %v", err)
	}

	server, log := startServe(t, dir, address, settings, "MUSTER_TEST_DISK=full")
	if n := count(); n != 2 {
		t.Errorf("on a full disk %d nodes are found, want 2", n)
	}
	err := add("db3")
	refusal, ok := errors.AsType[*fault](err)
	if !ok || refusal.kind != faultUnreachable || !strings.Contains(err.Error(), "may not grow any more") {
		t.Errorf("a new node is answered by %v; want that it can not be stored, and why", err)
	}
	var ready struct{ Warnings []string }
	if err := c.do(t.Context(), http.MethodGet, "/readyz", nil, &ready); err != nil || len(ready.Warnings) != 1 || !strings.Contains(ready.Warnings[0], "nothing can be stored since") {
		t.Errorf("it says that it is ready with %q, %v", ready.Warnings, err)
	}
	if n := count(); n != 2 {
		t.Errorf("after the refusal %d nodes are found, want 2", n)
	}

	if err := server.Process.Signal(syscall.SIGUSR1); err != nil { // there is room
		t.Fatal(err)
	}
	eventually(t, "the server to take a node", func() bool { return add("db3") == nil })
	if err := c.do(t.Context(), http.MethodGet, "/readyz", nil, &ready); err != nil || len(ready.Warnings) != 0 {
		t.Errorf("with room it says %q, %v", ready.Warnings, err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil || !strings.Contains(log.String(), "nothing can be stored") || !strings.Contains(log.String(), "takes writes again") {
		t.Errorf("it ended with %v, and logged\n%s", err, log)
	}
	_, _ = startServe(t, dir, address, settings)
	if n := count(); n != 3 {
		t.Errorf("after another restart %d nodes are found, want 3", n)
	}
}

// adminOf asks a server as its administrator.
func adminOf(t *testing.T, dir, address string) *client {
	t.Helper()
	token, err := readSecret(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := &client{servers: []string{address}, token: token, http: httpOver(trusting(func() *x509.CertPool { return roots }, []string{address}))}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}
