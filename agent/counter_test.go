package agent_test

import (
	"testing"

	"muster/internal/wire"
)

func counter(tb testing.TB) *wire.Counter {
	tb.Helper()
	return &wire.Counter{}
}
