// Tally reads the output of `go test -json`, shows failures, and closes with
// one line that counts what ran:
//
//	go test -json ./... | go run ./internal/tally [-left-out "what: why"]...
//	2533 passed, 0 failed
//
// It exits 1 when something failed, when nothing ran, or when the input ends
// in the middle of a package.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// event is one line of test2json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// tally is what has been seen so far.
type tally struct {
	passed, failed, skipped int
	open                    map[string]bool     // packages that have started and not ended
	output                  map[string][]string // by package and test, until it passes
	out                     io.Writer
	began                   time.Time
}

func main() {
	var leftOut []string
	flag.Func("left-out", "what was left out, and why (repeatable)", func(s string) error {
		leftOut = append(leftOut, s)
		return nil
	})
	flag.Parse()
	t := &tally{open: map[string]bool{}, output: map[string][]string{}, out: os.Stdout, began: time.Now()}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	os.Exit(t.close(leftOut))
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if !strings.HasPrefix(lines.Text(), "{") || json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(t.out, lines.Text()) // what was not said by a test: shown as it is
			continue
		}
		t.take(e)
	}
	return lines.Err()
}

func (t *tally) take(e event) {
	key := e.Package + "\x00" + e.Test
	switch e.Action {
	case "start":
		t.open[e.Package] = true
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "build-fail":
		t.failed++
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass":
		if e.Test != "" {
			t.passed++
		}
		t.end(e, key, false)
	case "skip":
		if e.Test != "" {
			t.skipped++
			fmt.Fprintf(t.out, "SKIP %s %s\n", e.Package, e.Test)
		}
		t.end(e, key, false)
	case "fail":
		if e.Test != "" || len(t.output[key]) > 0 {
			t.failed++
		}
		t.end(e, key, true)
	}
}

func (t *tally) end(e event, key string, show bool) {
	if show {
		fmt.Fprintf(t.out, "FAIL %s %s\n%s", e.Package, e.Test, strings.Join(t.output[key], ""))
	}
	delete(t.output, key)
	if e.Test == "" {
		delete(t.open, e.Package)
		fmt.Fprintf(t.out, "%-5s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
	}
}

// close prints the closing lines and returns the exit status.
func (t *tally) close(leftOut []string) int {
	for pkg := range t.open {
		fmt.Fprintf(t.out, "FAIL %s ended without a word\n", pkg)
		t.failed++
	}
	fmt.Fprintf(t.out, "took %.0f s\n", time.Since(t.began).Seconds())
	for _, what := range leftOut {
		fmt.Fprintln(t.out, "left out:", what)
	}
	fmt.Fprintf(t.out, "%d passed, %d failed", t.passed, t.failed)
	if t.skipped > 0 {
		fmt.Fprintf(t.out, ", %d skipped", t.skipped)
	}
	fmt.Fprintln(t.out)
	if t.failed > 0 || t.passed == 0 {
		return 1
	}
	return 0
}
