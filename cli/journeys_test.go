package cli_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/agent"
	"muster/cli"
)

// world is a running demo, and the surroundings from which it is asked.
type world struct {
	env    map[string]string
	dir    string
	server string
}

// startDemo runs `muster demo` with the arguments until the test ends, on
// ports of its own, and waits until it has announced itself.
func startDemo(t *testing.T, env map[string]string, args ...string) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), env: map[string]string{}}
	maps.Copy(w.env, env)
	w.env["MUSTER_RUN_FILE"] = filepath.Join(w.dir, "run.json")
	ctx, cancel := context.WithCancel(context.Background())
	var out lockedBuffer
	done := make(chan int, 1)
	go func() {
		e := w.surroundings(append([]string{"demo", "--listen", "127.0.0.1:0"}, args...), &out, &out)
		done <- cli.Run(ctx, e)
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("the demo ended with status %d:\n%s", status, out.String())
		}
		if _, err := os.Stat(w.env["MUSTER_RUN_FILE"]); err == nil {
			t.Error("the demo left its run file behind")
		}
	})
	deadline := time.Now().Add(90 * time.Second)
	for {
		var run struct{ Server string }
		text, err := os.ReadFile(w.env["MUSTER_RUN_FILE"])
		if err == nil && json.Unmarshal(text, &run) == nil && strings.Contains(out.String(), "Interrupt") {
			w.server = run.Server
			return w
		}
		select {
		case status := <-done:
			done <- status
			t.Fatalf("the demo ended with status %d before it was ready:\n%s", status, out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo was not ready within 90 s:\n%s", out.String())
		}
	}
}

func (w *world) surroundings(args []string, stdout, stderr io.Writer) cli.Env {
	return cli.Env{
		Name: "muster", Args: args, Executable: os.Args[0],
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		Getenv: func(name string) string { return w.env[name] },
		Home:   w.dir, Now: time.Now,
		Become: func([]string) error { return nil },
	}
}

// result is what a command did.
type result struct {
	status         int
	stdout, stderr string
	became         []string // what the process became, for ssh
}

func (r result) lines() []string { return strings.Fields(r.stdout) }

// run types one command; the first word is the name the program is called by.
func (w *world) run(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	var r result
	env := w.surroundings(args[1:], &stdout, &stderr)
	env.Name = args[0]
	env.Become = func(argv []string) error { r.became = argv; return nil }
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r.status = cli.Run(ctx, env)
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// journey is what the README promises, asked of a world.
func journey(t *testing.T, w *world) {
	finds := []struct {
		name string
		args []string
		want []string // all of the answer
		some []string // a part of the answer, where it is long
	}{
		{name: "with", args: []string{"-W", "environment=development customer=acme mysql::master"}, want: []string{"db1.acme.net"}},
		{name: "select not", args: []string{"-S", "operatingsystem=CentOS and !environment=dev"}, some: []string{"app1.globex.net", "web1.acme.net"}},
		{name: "select regex, leading blank", args: []string{"-S", " ( /httpd/ or /nginx/ ) and is_virtual=true"}, some: []string{"web1.acme.net", "web2.acme.net"}},
		{name: "flags", args: []string{"-F", "country=de", "-C", "/apache/", "-I", "/web/"}, some: []string{"web1.acme.de", "web1.acme.net"}},
	}
	for _, f := range finds {
		t.Run(f.name, func(t *testing.T) {
			r := w.run(t, append([]string{"muster", "find"}, f.args...)...)
			if r.status != 0 || r.stderr != "" {
				t.Fatalf("status %d, stderr %q", r.status, r.stderr)
			}
			if f.want != nil && !slices.Equal(r.lines(), f.want) {
				t.Errorf("found %q, want %q", r.lines(), f.want)
			}
			for _, name := range f.some {
				if !slices.Contains(r.lines(), name) {
					t.Errorf("%s is not in %q", name, r.lines())
				}
			}
			if !slices.IsSorted(r.lines()) {
				t.Errorf("the list is not sorted: %q", r.lines())
			}
			if f.name == "select not" && slices.Contains(r.lines(), "web2.acme.net") {
				t.Error("web2.acme.net is in dev and was found")
			}
		})
	}
	t.Run("curl", func(t *testing.T) {
		query := "{'facts.customer': 'acme', 'facts.environment':development, classes: 'mysql::master'}"
		response, err := http.Get(w.server + "/v1/search?q=" + url.QueryEscape(query))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct {
			Count    int
			Complete bool
			Nodes    []string
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		if answer.Count != 1 || !answer.Complete || !slices.Equal(answer.Nodes, []string{"db1.acme.net"}) {
			t.Errorf("answered %+v", answer)
		}
	})
	t.Run("mc-ssh", func(t *testing.T) {
		r := w.run(t, "mc-ssh", "-W", "environment=development customer=acme mysql::master")
		if r.status != 0 || !slices.Equal(r.became, []string{"ssh", "--", "db1.acme.net"}) {
			t.Errorf("status %d, became %q, stderr %q", r.status, r.became, r.stderr)
		}
		if r.stderr != "Running: ssh db1.acme.net\n" {
			t.Errorf("said %q", r.stderr)
		}
	})
	t.Run("check-mc-nrpe", func(t *testing.T) {
		r := w.run(t, "check-mc-nrpe", "-W", "environment=development customer=acme mysql::master", "check_load")
		const want = "check_load: OK: 1 WARNING: 0 CRITICAL: 0 UNKNOWN: 0|total=1 ok=1 warn=0 crit=0 unknown=0 checktime="
		if r.status != 0 || !strings.HasPrefix(r.stdout, want) {
			t.Errorf("status %d: %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	})
	t.Run("ping", func(t *testing.T) {
		r := w.run(t, "muster", "ping", "-W", "customer=acme mysql::master")
		if r.status != 0 || strings.Count(r.stdout, "time=") != 3 || !strings.Contains(r.stdout, "3 replies max:") {
			t.Errorf("status %d: %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	})
	t.Run("completion", func(t *testing.T) {
		for typed, want := range map[string]string{"environ": "environment", "environment = devel": "environment = development", "mysql::ma": "mysql::master"} {
			r := w.run(t, "muster", "__complete", "find", "-S", typed)
			if r.status != 0 || !slices.Contains(strings.Split(r.stdout, "\n"), want) {
				t.Errorf("%q completes to %q, want %q among them", typed, r.stdout, want)
			}
		}
		if r := w.run(t, "muster", "__complete", "inventory", "db1."); r.status != 0 || !strings.HasPrefix(r.stdout, "db1.acme.net\n") {
			t.Errorf("a name completes to %q", r.stdout)
		}
	})
	t.Run("why", func(t *testing.T) {
		r := w.run(t, "muster", "why", "web2.acme.net", "-S", "operatingsystem=CentOS and !environment=dev")
		if r.status != 0 || !strings.Contains(r.stdout, `it has "dev"`) {
			t.Errorf("status %d: %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	})
	t.Run("groups", func(t *testing.T) {
		r := w.run(t, "muster", "find", "-o", "csv", "customer=acme and mysql::master | group by environment count() | order by environment")
		if r.status != 0 || !strings.HasPrefix(r.stdout, "environment,count\ndevelopment,1\n") {
			t.Errorf("status %d: %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	})
	t.Run("this very machine", func(t *testing.T) {
		name, err := agent.DefaultIdentity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := w.run(t, "muster", "inventory", name)
		if r.status != 0 || !strings.Contains(r.stdout, "Proven by: cert") || !strings.Contains(r.stdout, "kernel => ") {
			t.Errorf("status %d: %q, stderr %q", r.status, r.stdout, r.stderr)
		}
	})
}

func TestDemo(t *testing.T) { journey(t, startDemo(t, nil)) }

// The tour ends by itself with --once, and draws a bar where a person watches.
func TestDemoOnce(t *testing.T) {
	w := &world{dir: t.TempDir(), env: map[string]string{}}
	w.env["MUSTER_RUN_FILE"] = filepath.Join(w.dir, "run.json")
	var stdout, stderr strings.Builder
	env := w.surroundings([]string{"demo", "--once", "--nodes", "20", "--listen", "127.0.0.1:0"}, &stdout, &stderr)
	env.StderrTerminal = true
	if status := cli.Run(t.Context(), env); status != 0 {
		t.Fatalf("status %d: %s%s", status, stdout.String(), stderr.String())
	}
	for _, part := range []string{
		"21 nodes have registered over STOMP", "\ndb1.acme.net\n", "Running: ssh db1.acme.net\n", "check_load: OK: 1 ",
		"alias muster=", "muster inventory ", "muster import FILE", "--join LINE",
	} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("the tour does not say %q:\n%s", part, stdout.String())
		}
	}
	if bar := stderr.String(); !strings.Contains(bar, "\r registering [") || !strings.Contains(bar, "] 21 / 21\n") {
		t.Errorf("the bar was %q", bar)
	}
}

// lockedBuffer takes what a command prints while the test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
