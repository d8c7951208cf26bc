package agent

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever looks for the reason of an UNKNOWN finds it in the node's log.
func TestWhyACheckWasNotRunIsLogged(t *testing.T) {
	cfg := write(t, filepath.Join(t.TempDir(), "nrpe.cfg"), `# checks
command[ok]=/bin/echo fine
command[shell]=/bin/echo x | cat
command[gone]=/no/such/check
command[quote]=/bin/echo 'x
command[empty]=
command[broken=/bin/echo
nonsense
include=/no/such/more.cfg
`)
	n := NRPE{Paths: []string{cfg, "/no/such/nrpe.cfg"}}
	for command, want := range map[string][]string{
		"ok": {
			cfg + `:7: \"command[broken=/bin/echo\" is not understood`, cfg + `:8: \"nonsense\" is not understood`,
			"/no/such/more.cfg is not there, but " + cfg + ":9 includes it", "/no/such/nrpe.cfg is not there, but it is configured",
		},
		"shell":  {"check=shell defined=" + cfg + ":3", "can not be run without a shell"},
		"gone":   {"check=gone defined=" + cfg + ":4", "/no/such/check is not there"},
		"quote":  {"check=quote defined=" + cfg + ":5", "a quote does not end"},
		"empty":  {"check=empty defined=" + cfg + ":6", "its definition is empty"},
		"nosuch": {"check=nosuch", "No such command"},
		"a b":    {`a check was refused`, `check="a b"`, "Cannot validate input"},
	} {
		log := runLogged(t, n, command, "")
		for _, w := range want {
			if !strings.Contains(log, w) {
				t.Errorf("%s: %q is not in the log:\n%s", command, w, log)
			}
		}
		if command == "ok" && strings.Contains(log, "check=ok") {
			t.Errorf("a check that ran is logged:\n%s", log)
		}
	}
	if log := runLogged(t, n, "ok", "-1"); !strings.Contains(log, "this node takes no arguments") {
		t.Errorf("refused arguments are not logged:\n%s", log)
	}
	if log := runLogged(t, NRPE{}, "nosuch", ""); strings.Contains(log, "but it is configured") {
		t.Errorf("places that nobody configured are missed:\n%s", log)
	}
}

// runLogged runs a check and returns what was logged at Warn.
func runLogged(t *testing.T, n NRPE, command, args string) string {
	t.Helper()
	data, err := json.Marshal(map[string]string{"command": command, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})
	_, _ = n.Agent().Actions["runcommand"](t.Context(), Request{Data: data, log: slog.New(handler)})
	return log.String()
}
