package agent_test

import (
	"path/filepath"
	"testing"

	"muster/internal/wire"
)

// counter orders the registrations of one daemon.
func counter(tb testing.TB) *wire.Counter {
	tb.Helper()
	c, err := wire.OpenCounter(filepath.Join(tb.TempDir(), "sequence"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}
