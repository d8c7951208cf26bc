//go:build puppetserver && peers

package puppetfunc_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Puppet feeds the registry, and asks it: nothing but its own certificates, and
// nothing installed on the node.
func TestPuppetserverFeedsAndAsks(t *testing.T) {
	for _, r := range []release{puppet7, puppet8(t)} {
		t.Run(r.name, func(t *testing.T) { feedsAndAsks(t, r) })
	}
}

func feedsAndAsks(t *testing.T, r release) {
	r.wants(t, r.name+".")
	e := newEstate(t, r)
	e.write(t, "code/environments/production/manifests/site.pp", `
include role::db
notify { "compiled: ${search_nodes('role::db', { 'source' => 'catalog' })}": }
notify { "facts: ${search_nodes('trusted.certname=? kernel=?', { 'params' => [$trusted['certname'], $facts['kernel']] })}": }
notify { "puppetdb: ${puppetdb_query('inventory[certname] { resources { type = "Class" and title = "Role::Db" } }')}": }
notify { "hiera: ${lookup('peers', { 'default_value' => 'none' })}": }
notify { 'deferred': message => Deferred('search_nodes', ['role::db', { 'server' => 'https://`+e.muster+`' }]) }
`)
	e.startPuppetserver(t)
	first, status := e.agent(t)
	if status != 2 || !strings.Contains(first, "compiled: []") || !strings.Contains(first, "facts: ["+agentName+"]") || !strings.Contains(first, "hiera: []") {
		t.Fatalf("the first run: status %d\n%s\n%s", status, first, e.log)
	}
	second, status := e.agent(t)
	for _, says := range []string{
		"compiled: [" + agentName + "]", "puppetdb: [{certname => " + agentName + "}]", "hiera: [" + agentName + "]",
		"defined 'message' as '" + agentName + "'",
	} {
		if !strings.Contains(second, says) {
			t.Errorf("the second run does not say %q (status %d)\n%s\n%s", says, status, second, e.log)
		}
	}
	_ = e.server.Process.Kill() // nothing stops it from ending
	third, status := e.agent(t)
	if status != 1 || !strings.Contains(third, "search_nodes: no server answered: https://"+e.muster) {
		t.Errorf("without muster: status %d\n%s", status, third)
	}
}

// The module's own tests where its threads are real ones: in the puppetserver's
// Ruby, which is JRuby.
func TestUnitsInThePuppetserversRuby(t *testing.T) {
	t.Parallel()
	minitest, err := filepath.Glob("/usr/share/rubygems-integration/all/gems/minitest-*/lib")
	if err != nil || len(minitest) != 1 {
		t.Fatalf("minitest is in %q, %v", minitest, err)
	}
	script := write(t, filepath.Join(t.TempDir(), "tests.rb"),
		`$LOAD_PATH.unshift '`+minitest[0]+`'; Dir["#{Dir.pwd}/test/*_test.rb"].sort.each { |f| require f }`)
	cmd := exec.CommandContext(t.Context(), "puppetserver", "ruby", script)
	cmd.Dir = "module/muster"
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), " 0 failures, 0 errors, 0 skips") {
		t.Errorf("%v\n%s", err, out)
	}
}
