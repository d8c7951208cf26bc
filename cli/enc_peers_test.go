//go:build peers

package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The real Puppet asks us what a node is: classes are declared with their
// parameters, parameters become variables, with the registry and without.
func TestPuppetAsksTheENC(t *testing.T) {
	t.Parallel()
	w, server := encWorld(t, encRules)
	muster := filepath.Join(w.dir, "muster")
	if err := os.Symlink(os.Args[0], muster); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(w.dir, "site.pp")
	code := `class base($level = 1) { notice("base ${level}") } class mysql::server($port, $options) { notice("mysql ${port} ${options['a'][1]}") }
notice("${customer} ${rack} ${rack.type()} ${role} ${environment}")`
	if err := os.WriteFile(manifest, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	environments := filepath.Join(w.dir, "code", "environments", "production", "manifests")
	if err := os.MkdirAll(environments, 0o700); err != nil {
		t.Fatal(err)
	}
	apply := func(node string) (string, int) {
		cmd := exec.CommandContext(t.Context(), "puppet", "apply", "--color=false", "--facts_terminus=yaml", "--certname", node,
			"--confdir", filepath.Join(w.dir, "conf"), "--vardir", filepath.Join(w.dir, "var"), "--codedir", filepath.Join(w.dir, "code"),
			"--node_terminus", "exec", "--external_nodes", muster+" --config "+w.env["MUSTER_CONFIG"]+" enc", manifest)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+w.dir)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), cmd.ProcessState.ExitCode()
	}
	says := []string{"acme 7 Integer[7, 7] db production", "base 2", "mysql 3306 2"}
	for _, state := range []string{"with", "without"} {
		out, status := apply("db1.acme.net")
		if missing := slices.DeleteFunc(slices.Clone(says), func(s string) bool { return strings.Contains(out, ": "+s+"\n") }); status != 0 || len(missing) > 0 {
			t.Errorf("%s the registry: status %d, %q missing\n%s", state, status, missing, out)
		}
		server.Close()
	}
	if out, status := apply("web1.acme.net"); status == 0 || !strings.Contains(out, "Failed to find web1.acme.net via exec") {
		t.Errorf("of whom nothing can be said: status %d\n%s", status, out)
	}
}

// Puppet starts it for each catalog: it must be there at once. The quickest of
// some runs counts, since this machine may be busy.
func TestENCIsQuick(t *testing.T) {
	t.Parallel()
	w, _ := encWorld(t, encRules)
	muster := filepath.Join(w.dir, "muster")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", muster, "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	best := time.Hour
	for range 20 {
		begin := time.Now()
		out, err := exec.CommandContext(t.Context(), muster, "--config", w.env["MUSTER_CONFIG"], "enc", "db1.acme.net").Output()
		if err != nil || string(out) != db1Is {
			t.Fatalf("%v: %s", err, out)
		}
		best = min(best, time.Since(begin))
	}
	t.Logf("the quickest took %v", best)
	if best > 50*time.Millisecond {
		t.Errorf("the quickest of 20 took %v", best)
	}
}
