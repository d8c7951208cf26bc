package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"muster/agent"
)

// The cases of the original script, by its headings.
func TestChecksFoldAsTheOriginalDid(t *testing.T) {
	const took = 612054 * time.Microsecond
	ok, warn, crit := agent.Check{Node: "a"}, agent.Check{Node: "b", Exit: 1}, agent.Check{Node: "b", Exit: 2}
	var got strings.Builder
	for _, c := range []struct {
		heading, command string
		checks           []agent.Check
		silent           []string
	}{
		{"one OK", "check_load", []agent.Check{ok}, nil},
		{"ok+warn", "check_load", []agent.Check{ok, warn}, nil},
		{"crit+unknown", "check_load", []agent.Check{ok, crit, {Node: "c", Exit: 3}}, nil},
		{"no response", "check_load", []agent.Check{ok}, []string{"b"}},
		{"none discovered", "check_load", nil, nil},
		{"no argument", "", []agent.Check{ok}, nil},
	} {
		text, exit := agent.FoldChecks(c.command, c.checks, c.silent, took)
		fmt.Fprintf(&got, "## %s\n%s[exit %d]\n", c.heading, text, exit)
	}
	want, err := os.ReadFile("testdata/check-mc-nrpe.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden, _, _ := strings.Cut(string(want), "## exit code 4")
	if got.String() != golden {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), golden)
	}
	if text, exit := agent.FoldChecks("x", []agent.Check{{Node: "a", Exit: 4}, {Node: "b", Exit: -1}}, nil, 0); exit != 3 || !strings.Contains(text, "UNKNOWN:\n   a b\n") {
		t.Errorf("exit code 4: %d, %s", exit, text)
	}
}

func TestCheckOfAReply(t *testing.T) {
	for data, want := range map[string]int{`{"exitcode":2}`: 2, `{"exitcode":0}`: 0, `{}`: 3, ``: 3, `{"exitcode":"0"}`: 3} {
		if got := agent.CheckOf(agent.Reply{Sender: "a", Data: json.RawMessage(data)}); got.Exit != want || got.Node != "a" {
			t.Errorf("%s: %+v, want %d", data, got, want)
		}
	}
}

// Replies come in any order; monitoring compares texts.
func TestFoldedNamesAreSorted(t *testing.T) {
	checks := []agent.Check{{Node: "d", Exit: 2}, {Node: "b", Exit: 2}, {Node: "c", Exit: 1}, {Node: "a", Exit: 1}, {Node: "z", Exit: 3}}
	silent := []string{"y", "x"}
	text, _ := agent.FoldChecks("x", checks, silent, 0)
	if want := "CRITICAL:\n   b d\nWARNING:\n   a c\nUNKNOWN:\n   x y z\n"; !strings.HasSuffix(text, want) {
		t.Errorf("got:\n%s\nwant it to end in:\n%s", text, want)
	}
	if silent[0] != "y" || checks[0].Node != "d" {
		t.Error("what was given is changed")
	}
}
