package systemd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/systemd"
)

// manager listens as the service manager does.
func manager(t *testing.T) (env map[string]string, next func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return map[string]string{"NOTIFY_SOCKET": path}, func() string {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func fine(context.Context) error { return nil }

func TestALifeIsTold(t *testing.T) {
	env, next := manager(t)
	env["WATCHDOG_USEC"] = "20000"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var ill atomic.Bool
	well := func(context.Context) error {
		if ill.Load() {
			return errors.New("ill")
		}
		return nil
	}
	go func() { done <- systemd.Manager(func(k string) string { return env[k] }).Run(ctx, fine, well) }()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := next(); got != want {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	ill.Store(true)
	cancel()
	got := next()
	for got == "WATCHDOG=1" { // was under way
		got = next()
	}
	if got != "STOPPING=1" {
		t.Errorf("at last told %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWhoIsNotReadySaysNothing(t *testing.T) {
	env, _ := manager(t)
	n := systemd.Manager(func(k string) string { return env[k] })
	broken := errors.New("broken")
	if err := n.Run(t.Context(), func(context.Context) error { return broken }, fine); !errors.Is(err, broken) {
		t.Errorf("returned %v", err)
	}
	none := systemd.Manager(func(string) string { return "" })
	if err := none.Run(t.Context(), func(context.Context) error { return broken }, fine); err != nil {
		t.Errorf("without a manager it returned %v", err)
	}
}
