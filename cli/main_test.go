package cli_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"muster/cli"
)

// TestMain lets the test binary be muster itself: under the program's names in
// scripts, and as what the demo's nodes run, `muster demo check`.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "demo" {
		program()
	}
	testscript.Main(m, map[string]func(){
		"muster": program, "mc-ssh": program, "mc-find": program, "check-mc-nrpe": program,
	})
}

func program() {
	limitDisk()
	os.Exit(cli.Main(context.Background()))
}

// The scripts in testdata/script are what a person would type.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/config")
			e.Setenv("XDG_STATE_HOME", e.WorkDir+"/state")
			e.Setenv("MUSTER_DATA", e.WorkDir+"/data")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "fetch": fetch},
	})
}
