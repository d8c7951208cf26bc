package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSplitWords(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`/usr/bin/check -w 15,10,5`, `["/usr/bin/check" "-w" "15,10,5"]`},
		{`  a   b  `, `["a" "b"]`},
		{`a 'b c' "d e" f\ g`, `["a" "b c" "d e" "f g"]`},
		{`a "it's" 'say "x"' "q\"q" "b\\s" "n\n"`, `["a" "it's" "say \"x\"" "q\"q" "b\\s" "n\\n"]`},
		{`a '' ""`, `["a" "" ""]`},
		{`a x'y'z`, `["a" "xyz"]`},
		{`a '$HOME' '|' "; &"`, `["a" "$HOME" "|" "; &"]`},
		{`a $ARG1$ "x $ARG2$" -c$ARG1$`, `["a" "$ARG1$" "x $ARG2$" "-c$ARG1$"]`},
		{`a b # comment | x`, `["a" "b"]`},
		{`a b#c *.x [ab]?`, `["a" "b#c" "*.x" "[ab]?"]`},
	} {
		got, err := splitWords(c.in)
		if err != nil || fmt.Sprintf("%q", got) != c.want {
			t.Errorf("%s:\ngot  %q, %v\nwant %s", c.in, got, err, c.want)
		}
	}
	for in, want := range map[string]string{
		"a | b": `'|'`, "a; b": `';'`, "a && b": `'&'`, "a > b": `'>'`, "a < b": `'<'`, "a `b`": "'`'", "a $(b)": `'$'`, "a $HOME": `'$'`,
		`a "$HOME"`: `'$'`, "a \"`b`\"": "'`'", "a (b)": `'('`, "a 'b": "quote does not end", `a "b`: "quote does not end", `a \`: "backslash",
		"": "no program", "  ": "no program", "a $x $ARG1$": `'$'`,
	} {
		if got, err := splitWords(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error with %s", in, got, err, want)
		}
	}
}

// Words that were quoted come back whatever is in them.
func FuzzSplitWords(f *testing.F) {
	f.Add("plain", "it's", `"|;$(x)\`)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		words := []string{a, b, c}
		var line strings.Builder
		for _, w := range words {
			line.WriteString("'" + strings.ReplaceAll(w, "'", `'\''`) + "' ")
		}
		got, err := splitWords(line.String())
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%q was split into %q, %v", line.String(), got, err)
		}
		_, _ = splitWords(a) // must end
	})
}

func TestDefinitions(t *testing.T) {
	dir := t.TempDir()
	main := write(t, filepath.Join(dir, "nrpe.cfg"), `
# command[no]=/bin/no
command[check_load]=/usr/bin/check_load -w 1
command[ check_b ] = /b from main
include=`+filepath.Join(dir, "more.cfg")+`
include_dir=`+filepath.Join(dir, "nrpe.d")+`
include_dir=/no/such/folder
dont_blame_nrpe=1
`)
	write(t, filepath.Join(dir, "more.cfg"), "include="+main+"\ncommand[check_more]=/more\n")
	write(t, filepath.Join(dir, "nrpe.d", "10.cfg"), "command[check_b]=/b from folder\ncommand[empty]=\n")
	write(t, filepath.Join(dir, "nrpe.d", "x.conf"), "command[no]=/no\n")
	write(t, filepath.Join(dir, "nrpe.d", "deep", "z.cfg"), "command[check_deep]=/deep\n")
	c := readNRPE([]string{main})
	for name, want := range map[string]string{
		"check_load": "/usr/bin/check_load -w 1", "check_b": "/b from folder", "check_more": "/more", "check_deep": "/deep",
	} {
		if got, err := c.command(name); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := c.command("no"); !errors.Is(err, errNoCommand) {
		t.Errorf("a comment or a foreign file defines: %v", err)
	}
	if got, err := c.command("empty"); err == nil {
		t.Errorf("an empty definition gives %q", got)
	}
}

// check runs one check as a caller would and returns status, exit code, output
// and perfdata.
func check(t *testing.T, n NRPE, command, args string) (Status, checkResult) {
	t.Helper()
	data, err := json.Marshal(map[string]string{"command": command, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	got, err := n.Agent().Actions["runcommand"](t.Context(), Request{Data: data})
	f, failed := errors.AsType[*Failure](err)
	switch {
	case failed && f.Data == nil:
		return f.Status, checkResult{Output: f.Message}
	case failed:
		res := f.Data.(checkResult)
		if f.Message != checkWords[res.ExitCode] {
			t.Errorf("%s: message %q with exit code %d", command, f.Message, res.ExitCode)
		}
		return f.Status, res
	case err != nil:
		t.Fatal(err)
	}
	return OK, got.(checkResult)
}

func TestChecks(t *testing.T) {
	dir := t.TempDir()
	say := write(t, filepath.Join(dir, "say"), `#!/bin/sh
code=$1; shift; printf '%b' "$*"; exit $code
`)
	cfg := write(t, filepath.Join(dir, "nrpe.cfg"), strings.ReplaceAll(`
command[ok]=SAY 0 "OK - load 1|load1=1;2;3 load5=2"
command[warn]=SAY 1 "WARNING"
command[crit]=SAY 2 'CRITICAL a|b|x=1'
command[odd]=SAY 5 weird
command[silent]=SAY 0
command[lines]=SAY 0 'one|a=1\ntwo\nthree|b=2\n'
command[bell]=SAY 0 'ring\a \033[31mred\n'
command[shell]=SAY 0 x | cat
command[args]=SAY 0 "$ARG1$" [$ARG2$] $ARG3$
command[gone]=/no/such/check
command[slow]=/bin/sh -c 'sleep 60'
command[big]=/bin/sh -c 'head -c 1000000 /dev/zero | tr "\\0" x'
`, "SAY", say))
	n := NRPE{Paths: []string{cfg}, Limit: time.Second, AllowArgs: true}
	for _, c := range []struct {
		command, args          string
		status                 Status
		exit                   int
		output, perf, contains string
	}{
		{command: "ok", output: "OK - load 1", perf: "load1=1;2;3 load5=2"},
		{command: "warn", status: Aborted, exit: 1, output: "WARNING"},
		{command: "crit", status: Aborted, exit: 2, output: "CRITICAL a|b", perf: "x=1"},
		{command: "odd", status: Aborted, exit: 3, output: "weird"},
		{command: "silent", output: "(no output from the check)"},
		{command: "lines", output: "one\ntwo\nthree", perf: "a=1 b=2"},
		{command: "bell", output: "ring [31mred"},
		{command: "nosuch", status: Aborted, exit: 3, output: "No such command: nosuch"},
		{command: "shell", status: Aborted, exit: 3, contains: "can not be run without a shell: it has '|' in it"},
		{command: "args", args: "a b!c", output: "a b [c]"},
		{command: "args", output: "[]"},
		{command: "args", args: "$(id)", status: Aborted, exit: 3, contains: "which is not allowed"},
		{command: "args", args: "a;b", status: Aborted, exit: 3, contains: "which is not allowed"},
		{command: "args", args: "--exec=x", status: Aborted, exit: 3, contains: "looks like an option"},
		{command: "args", args: "-5", output: "-5 []"},
		{command: "gone", status: Aborted, exit: 3, contains: "/no/such/check is not there"},
		{command: "slow", status: Aborted, exit: 3, contains: "did not end within 1s"},
		{command: "a b", status: InvalidData, contains: "Cannot validate input command"},
		{command: "../x", status: InvalidData, contains: "Cannot validate input command"},
		{command: "", status: MissingData, contains: "needs a command argument"},
	} {
		status, got := check(t, n, c.command, c.args)
		if status != c.status || got.ExitCode != c.exit || got.PerfData != c.perf {
			t.Errorf("%s %s: status %d, %+v", c.command, c.args, status, got)
		}
		if c.contains == "" && got.Output != c.output || !strings.Contains(got.Output, c.contains) {
			t.Errorf("%s %s: output %q", c.command, c.args, got.Output)
		}
	}
	if _, got := check(t, n, "big", ""); len(got.Output) != maxCheckOutput {
		t.Errorf("big: %d bytes were kept", len(got.Output))
	}
	n.AllowArgs = false
	if _, got := check(t, n, "args", "x"); got.ExitCode != 3 || !strings.Contains(got.Output, "takes no arguments") {
		t.Errorf("arguments were taken: %+v", got)
	}
	write(t, cfg, "command[nosuch]="+say+" 0 now") // read at each call
	if _, got := check(t, n, "nosuch", ""); got.Output != "now" {
		t.Errorf("after a change: %+v", got)
	}
}
