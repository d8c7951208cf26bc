package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
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

// fetch PATH FILE writes what the server of this script answers to its
// administrator.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch PATH FILE")
	}
	var running struct{ Server, Token string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(ts.MkAbs("state/muster/run.json"))), &running))
	request, err := http.NewRequest(http.MethodGet, running.Server+args[0], nil)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(running.Token)))
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s %s", args[0], answer.Status, text)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}
