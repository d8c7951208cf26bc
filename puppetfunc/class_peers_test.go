//go:build peers

package puppetfunc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What reviewers of modules run, says nothing.
func TestModuleIsAsItShouldBe(t *testing.T) {
	t.Parallel()
	manifests, err := filepath.Glob("module/muster/manifests/*.pp")
	if err != nil || len(manifests) < 4 {
		t.Fatalf("found %q, %v", manifests, err)
	}
	for _, command := range [][]string{
		append([]string{"puppet", "parser", "validate"}, manifests...),
		append([]string{"puppet-lint", "--fail-on-warnings", "--no-140chars-check"}, manifests...),
		{"metadata-json-lint", "module/muster/metadata.json"},
	} {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%q: %v\n%s", command, err, out)
		}
	}
}

// Everything together compiles and would be done; nothing is shown of the line
// to join by.
func TestClassesApply(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "")
	out, complaint, status := p.applyWith(t, []string{"--noop"}, `
class { 'muster': settings => { 'serve' => { 'listen' => ':8280' }, 'agent' => { 'join_file' => '/etc/muster/join' } } }
class { 'muster::daemon': join => Sensitive('https://registry+FINGERPRINT+SECRETTOKEN') }
include muster::server`)
	if status != 0 || strings.Contains(out+complaint, "Error") {
		t.Fatalf("status %d\n%s%s", status, out, complaint)
	}
	for _, done := range []string{
		"File[/etc/muster/muster.yaml]", "File[/etc/muster/join]", "User[muster]", "Package[muster]", "Service[muster]", "Service[muster-agent]",
	} {
		if !strings.Contains(out, done+"/ensure: current_value") && !strings.Contains(out, strings.TrimSuffix(done, "]")+"]/ensure") {
			t.Errorf("%s is not among what would be done:\n%s", done, out)
		}
	}
	for _, unit := range []string{"muster", "muster-agent"} {
		if !strings.Contains(out, "Exec[muster: write /etc/systemd/system/"+unit+".service]/returns") {
			t.Errorf("the unit %s would not be written:\n%s", unit, out)
		}
	}
	if strings.Contains(out+complaint, "SECRETTOKEN") {
		t.Errorf("the line to join by is shown:\n%s%s", out, complaint)
	}
}

// What is written is what muster reads.
func TestClassWritesTheSettings(t *testing.T) {
	t.Parallel()
	p := newPuppet(t, "")
	dir := t.TempDir()
	program := filepath.Join(dir, "bin")
	source := p.write(t, "program", "#!/bin/sh\n")
	const settings = `{ 'servers' => ['https://a:1'], 'saved' => { 'x' => 'a = "b: c"' }, 'serve' => { 'tls' => true, 'lifecycle' => { 'freeze_share' => 0.2 } } }`
	const want = "# Written by Puppet, class muster.\n---\nservers:\n- https://a:1\nsaved:\n  x: 'a = \"b: c\"'\nserve:\n  tls: true\n  lifecycle:\n    freeze_share: 0.2\n"
	manifest := `class { 'muster': manage_user => false, group => 'root', source => '` + source + `', program => '` + program +
		`', config_dir => '` + dir + `/etc', settings => ` + settings + ` }`
	for range 2 { // and the second time there is nothing to do
		out, complaint, status := p.applyWith(t, []string{"--detailed-exitcodes"}, manifest)
		text, err := os.ReadFile(filepath.Join(dir, "etc", "muster.yaml"))
		if err != nil || string(text) != want || status != 2 && status != 0 {
			t.Fatalf("status %d, %v, wrote\n%s\n%s%s", status, err, text, out, complaint)
		}
		if status == 0 {
			return
		}
	}
	t.Error("the second run changed something again")
}
