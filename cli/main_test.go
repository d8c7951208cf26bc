package cli_test

import (
	"context"
	"os"
	"testing"

	"muster/cli"
)

// TestMain lets the test binary be muster itself: the demo's nodes run
// `muster demo check`, and the executable they are told is this one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "demo" {
		os.Exit(cli.Main(context.Background()))
	}
	os.Exit(m.Run())
}
