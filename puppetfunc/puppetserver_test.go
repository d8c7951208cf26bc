//go:build puppetserver && peers

package puppetfunc_test

import (
	"strings"
	"testing"
)

// Puppet feeds the registry, and asks it: nothing but its own certificates, and
// nothing installed on the node.
func TestPuppetserverFeedsAndAsks(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.write(t, "code/environments/production/manifests/site.pp", `
include role::db
notify { "compiled: ${search_nodes('role::db', { 'source' => 'catalog' })}": }
notify { "facts: ${search_nodes('trusted.certname=? kernel=?', { 'params' => [$trusted['certname'], $facts['kernel']] })}": }
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
		"compiled: [" + agentName + "]", "hiera: [" + agentName + "]",
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
