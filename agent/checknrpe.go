package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check is how one node answered runcommand of agent nrpe.
type Check struct {
	Node string
	Exit int // the check's exit status; anything but 0 to 3 counts as 3
}

// CheckOf reads a reply to runcommand. A reply that holds no exit status, such
// as one that refuses the caller, counts as 3.
func CheckOf(r Reply) Check {
	var data struct {
		ExitCode *int `json:"exitcode"`
	}
	if err := json.Unmarshal(r.Data, &data); err != nil || data.ExitCode == nil {
		return Check{Node: r.Sender, Exit: 3}
	}
	return Check{Node: r.Sender, Exit: *data.ExitCode}
}

// FoldChecks makes one Nagios result of what many nodes answered: the text
// that check-mc-nrpe printed, names sorted, and its exit status. Nodes that were silent are
// UNKNOWN, but not in the total. Without a command, or without nodes, the
// result says so and is UNKNOWN.
func FoldChecks(command string, checks []Check, silent []string, took time.Duration) (text string, exit int) {
	switch {
	case command == "":
		return "UNKNOWN: NRPE command not specified\n", 3
	case len(checks)+len(silent) == 0:
		return command + ": UNKNOWN: did not discovery any nodes\n", 3 // sic; monitoring matches on it
	}
	var nodes [4][]string
	for _, c := range checks {
		state := c.Exit
		if state < 0 || state > 3 {
			state = 3
		}
		nodes[state] = append(nodes[state], c.Node)
	}
	nodes[3] = append(nodes[3], silent...)
	for _, names := range nodes {
		slices.Sort(names) // replies come in any order
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: OK: %d WARNING: %d CRITICAL: %d UNKNOWN: %d|total=%d ok=%d warn=%d crit=%d unknown=%d checktime=%f\n",
		command, len(nodes[0]), len(nodes[1]), len(nodes[2]), len(nodes[3]),
		len(checks), len(nodes[0]), len(nodes[1]), len(nodes[2]), len(nodes[3]), took.Seconds())
	for _, state := range []int{1, 3, 2} { // the last one with nodes is the worst
		if len(nodes[state]) > 0 {
			exit = state
		}
	}
	for _, state := range []int{2, 1, 3} {
		if len(nodes[state]) > 0 {
			fmt.Fprintf(&b, "%s:\n   %s\n", checkWords[state], strings.Join(nodes[state], " "))
		}
	}
	return b.String(), exit
}
