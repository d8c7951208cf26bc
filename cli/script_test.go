package cli_test

import (
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// awaited is how long a script waits for something to happen.
const awaited = 20 * time.Second

// await FILE [REGEX] waits until a file is there, and holds what the pattern
// says. What the first group matches becomes $FOUND.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await FILE [REGEX]")
	}
	pattern := regexp.MustCompile("")
	if len(args) == 2 {
		pattern = regexp.MustCompile(args[1])
	}
	deadline := time.Now().Add(awaited)
	for {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if m := pattern.FindStringSubmatch(string(text)); err == nil && m != nil {
			if len(m) > 1 {
				ts.Setenv("FOUND", m[1])
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not hold %v within %v: %v\n%s", args[0], pattern, awaited, err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
