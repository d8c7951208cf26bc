//go:build puppetserver && peers

package puppetfunc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/puppetfunc"
)

// inPuppet8 runs a program in the folder with Debian 13 that make peers made.
func inPuppet8(t *testing.T, root string, argv ...string) (out string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "chroot", append([]string{root}, argv...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "HOME=/root", "http_proxy=http://127.0.0.1:1"}
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// Puppet 8, where what 7 warns of is an error: an undefined $trusted, legacy
// facts, unknown variables.
func TestPuppet8(t *testing.T) {
	root := os.Getenv("MUSTER_PUPPET8")
	if root == "" {
		t.Fatal("MUSTER_PUPPET8 names no folder with Debian 13 and puppet-agent in it; make peers makes one")
	}
	if out, status := inPuppet8(t, root, "puppet", "--version"); status != 0 || !strings.HasPrefix(out, "8.") {
		t.Fatalf("status %d, %s", status, out)
	}
	outside, err := os.MkdirTemp(filepath.Join(root, "tmp"), "muster")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(outside); err != nil {
			t.Error(err)
		}
	})
	inside := strings.TrimPrefix(outside, filepath.Clean(root))
	if err := puppetfunc.Install(outside); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(outside, "muster/test"), os.DirFS("module/muster/test")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(outside, "conf/muster.yaml"), "server: "+openServer(t)+"\n")
	write(t, filepath.Join(outside, "conf/hiera.yaml"), "version: 5\nhierarchy:\n  - { name: m, lookup_key: 'muster::hiera', options: { queries: { masters: 'mysql::master' } } }\n")
	write(t, filepath.Join(outside, "site.pp"), `$customer = 'acme'
notice(search_nodes("customer=acme mysql::master"))
notice(search_nodes({ 'facts.customer' => 'acme', 'classes' => 'mysql::master' }))
notice(search_nodes("{'facts.customer': ?, classes: 'mysql::master'}", { 'params' => [$customer] }))
notice(search_nodes('mysql::master', { 'return' => 'networking.ip', 'sort' => '-networking.ip' }))
notice(search_node('apache'))
notice(load_node('db1.acme.net')['facts']['rack'])
notice(load_node('nobody') =~ Undef)
notice(lookup('masters'))
search_setup('localhost', 'puppet', 'nodes')
notify { 'deferred': message => Deferred('search_nodes', ['apache']) }
`)
	apply := func(manifest ...string) (string, int) {
		return inPuppet8(t, root, append([]string{"puppet", "apply", "--color=false", "--facts_terminus=yaml", "--confdir", inside + "/conf",
			"--vardir", inside + "/var", "--modulepath", inside}, manifest...)...)
	}
	out, status := apply(inside + "/site.pp")
	want := []string{
		"[db1.acme.net, db2.acme.net]", "[db1.acme.net, db2.acme.net]", "[db1.acme.net, db2.acme.net]", "[10.0.1.1, 10.0.0.3, 10.0.0.1]", "web1.acme.net", "7", "true",
		"[db1.acme.net, db1.zenith.net, db2.acme.net]",
	}
	if got := notices(out); status != 0 || !slices.Equal(got, want) || !strings.Contains(out, "defined 'message' as 'web1.acme.net'") {
		t.Errorf("status %d\n%s", status, out)
	}
	if out, status := apply("-e", `notice(search_nodes('custmer=x'))`); status != 1 || len(notices(out)) > 0 || !strings.Contains(out, "no node has the fact custmer") {
		t.Errorf("an unknown fact: status %d\n%s", status, out)
	}
	if out, status := apply("--noop", "-e", `include muster include muster::daemon include muster::server`); status != 0 {
		t.Errorf("the classes: status %d\n%s", status, out)
	}
	tests := `Dir.chdir(ARGV[0]); Dir["test/*_test.rb"].sort.each { |f| require "./#{f}" }`
	if out, status := inPuppet8(t, root, "ruby", "-e", tests, inside+"/muster"); status != 0 || !strings.Contains(out, " 0 failures, 0 errors, 0 skips") {
		t.Errorf("the unit tests: status %d\n%s", status, out)
	}
}
