//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"muster/registry/index/indextest"
)

// row is a line of the table.
type row struct {
	what, target, figure, naive, wall, allocs, met string
}

// table gathers what was measured, and prints each line as it comes.
type table struct {
	sizes sizes
	rows  []row
	yard  time.Duration
	quiet bool

	out    string // where the table is written, with each row; empty: nowhere
	failed error  // of writing it
}

// add adds a row.
func (t *table) add(r row) {
	if t.quiet {
		return
	}
	if len(t.rows) == 0 {
		fmt.Printf("%-74s %12s %12s %12s %10s %8s\n", "what", "target", "figure", "wall", "allocs", "naive")
	}
	t.rows = append(t.rows, r)
	if t.out != "" {
		t.failed = os.WriteFile(t.out, []byte(t.markdown()), 0o644)
	}
	fmt.Printf("%-74s %12s %12s %12s %10s %8s %s\n", r.what, r.target, r.figure, r.wall, r.allocs, r.naive, r.met)
}

// time adds what costs time; a target of 0 is none.
func (t *table) time(what string, target time.Duration, f figure, naive time.Duration) {
	t.judge(what, target, f.cpu, f, naive)
}

// onAll is time for what may use all processors: what passes on the wall is judged.
func (t *table) onAll(what string, target time.Duration, f figure, naive time.Duration) {
	t.judge(what+", on the wall", target, f.wall, f, naive)
}

func (t *table) judge(what string, target, took time.Duration, f figure, naive time.Duration) {
	r := row{what: what, figure: short(f.cpu), wall: short(f.wall), allocs: fmt.Sprintf("%.0f", f.allocs)}
	if target > 0 {
		r.target, r.met = "< "+short(target), met(took < target)
	}
	if naive > 0 {
		r.naive = short(naive)
	}
	t.add(r)
}

// note adds a figure that is no time.
func (t *table) note(what, target, figure string, ok bool) {
	r := row{what: what, target: target, figure: figure}
	if target != "" {
		r.met = met(ok)
	}
	t.add(r)
}

func met(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}

// yardstick says how fast the machine is just now, by something that everybody
// can measure.
func (t *table) yardstick() {
	doc := indextest.Fleet{}.Node(0)
	text, err := json.Marshal(doc.Facts)
	if err != nil {
		panic(err) // a document is JSON
	}
	f := measured(func() {
		var v any
		_ = json.Unmarshal(text, &v) // it has just been written
	})
	t.yard = f.cpu
	t.time(fmt.Sprintf("yardstick: encoding/json reads %.1f KB of facts", float64(len(text))/1000), 0, f, 0)
}

// short is a time with three digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.2f us", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f us", float64(d)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

const mb = 1 << 20

func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Performance

Written by `+"`make bench`"+`, last on %s at commit %s: %s, %d processors used, %s, Go %s.

Times are processor time of the whole process, garbage collection included, as the median of 9 batches; "wall" is what passed meanwhile, and what is
judged where a line says so, for what may use both processors. "naive" asks
every document. The fleet is `+"`registry/index/indextest`"+`: about 290 facts, 58 classes and 9 KB of JSON a node; small nodes have 63 facts and 12 classes. The
yardstick tells how fast the machine was at the time, so that runs can be compared; no figure is scaled by it.

| what | target | figure | met | wall | allocations | naive |
|---|---|---|---|---|---|---|
`, time.Now().UTC().Format(time.DateOnly), commit(), machine(), runtime.GOMAXPROCS(0), load(), strings.TrimPrefix(runtime.Version(), "go"))
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", strings.ReplaceAll(r.what, "|", "\\|"), r.target, r.figure, r.met, r.wall, r.allocs, r.naive)
	}
	return b.String()
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	return "load average " + strings.Fields(string(text))[0]
}
