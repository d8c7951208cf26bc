//go:build puppetserver && peers

package puppetfunc_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/puppetfunc"
)

// Puppet 8, where what 7 warns of is an error: an undefined $trusted, legacy
// facts, unknown variables.
func TestPuppet8(t *testing.T) {
	p := puppet8(t)
	p.wants(t, "8.")
	dir := t.TempDir()
	if err := puppetfunc.Install(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "muster/test"), os.DirFS("module/muster/test")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "conf/muster.yaml"), "server: "+openServer(t)+"\n")
	write(t, filepath.Join(dir, "conf/hiera.yaml"), "version: 5\nhierarchy:\n  - { name: m, lookup_key: 'muster::hiera', options: { queries: { masters: 'mysql::master' } } }\n")
	write(t, filepath.Join(dir, "site.pp"), `$customer = 'acme'
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
		return p.run(t, append([]string{"puppet", "apply", "--color=false", "--facts_terminus=yaml", "--confdir", dir + "/conf",
			"--vardir", dir + "/var", "--modulepath", dir}, manifest...)...)
	}
	out, status := apply(dir + "/site.pp")
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
	if out, status := p.run(t, "ruby", "-e", tests, dir+"/muster"); status != 0 || !strings.Contains(out, " 0 failures, 0 errors, 0 skips") {
		t.Errorf("the unit tests: status %d\n%s", status, out)
	}
}
