//go:build puppetserver && peers

package puppetfunc_test

import (
	"os"
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

// The module's own tests where its threads are real ones: in the puppetservers'
// Ruby, which is JRuby.
func TestUnitsInThePuppetserversRuby(t *testing.T) {
	for _, r := range []release{puppet7, puppet8(t)} {
		t.Run(r.name, func(t *testing.T) { unitsInRuby(t, r) })
	}
}

func unitsInRuby(t *testing.T, r release) {
	var minitest []string
	for _, pattern := range []string{"/usr/share/rubygems-integration/all/gems/minitest-*/lib", "/usr/lib/ruby/gems/*/gems/minitest-*/lib"} {
		found, err := filepath.Glob(r.root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		minitest = append(minitest, found...)
	}
	if len(minitest) == 0 {
		t.Fatal("there is no minitest")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("module/muster")); err != nil {
		t.Fatal(err)
	}
	script := write(t, filepath.Join(dir, "tests.rb"), `$LOAD_PATH.unshift '`+strings.TrimPrefix(minitest[0], r.root)+`'; Dir.chdir('`+dir+`'); Dir["#{Dir.pwd}/test/*_test.rb"].sort.each { |f| require f }`)
	if out, status := r.run(t, "puppetserver", "ruby", script); status != 0 || !strings.Contains(out, " 0 failures, 0 errors, 0 skips") {
		t.Errorf("status %d\n%s", status, out)
	}
}
