//go:build peers

package puppetfunc_test

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"muster/api"
	"muster/registry"
)

// withPuppetDB is a Puppet whose terminus for a PuppetDB speaks to a server
// over r, as a forwarder.
func withPuppetDB(t *testing.T, r *registry.Registry) puppet {
	t.Helper()
	ca := newPuppetCA(t)
	s, err := api.New(api.Config{
		Registry: r, Roles: map[string]api.Role{certname: api.Forwarder}, Log: slog.New(slog.DiscardHandler),
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(t, 3, "muster.example.net")}, ClientCAs: ca.pool()},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := newPuppet(t, "")
	ca.enrol(t, p, ca.issue(t, 2, certname), ca.revoke(t))
	p.write(t, "puppetdb.conf", "[main]\nserver_urls = https://"+run(t, s)+"\n")
	p.write(t, "routes.yaml", "apply:\n  catalog:\n    terminus: compiler\n    cache: puppetdb\n  facts:\n    terminus: yaml\n    cache: puppetdb_apply\n")
	told := puppet{conf: p.state}
	told.write(t, filepath.Join("client_yaml", "facts", certname+".yaml"),
		"--- !ruby/object:Puppet::Node::Facts\nname: "+certname+"\nvalues:\n  customer: acme\n  big: 12345678901234567890\n  umlaut: grüße\n")
	return p
}

var storing = []string{"--storeconfigs", "--storeconfigs_backend", "puppetdb", "--reports", "puppetdb"}

// The stock terminus feeds the registry, and a manifest asks it: all the bytes
// are Puppet's own.
func TestTheStockTerminus(t *testing.T) {
	t.Parallel()
	r := fleet(t)
	p := withPuppetDB(t, r)
	out, complaint, status := p.applyWith(t, storing, `
		class apache::vhosts($secret) { notify { 'vhosts': } }
		class { 'apache::vhosts': secret => 'CANARY' }
		$masters = puppetdb_query('nodes[certname] { resources { type = "Class" and title = "Mysql::Master" } order by certname }')
		notice($masters.map |$r| { $r['certname'] })
		$acme = puppetdb_query(['from', 'inventory', ['extract', ['certname', 'facts.networking.ip'], ['=', 'facts.customer', 'acme']], ['order_by', ['certname']], ['limit', 1]])
		notice($acme)`)
	want := []string{"[db1.acme.net, db1.zenith.net, db2.acme.net]", "[{certname => db1.acme.net, facts.networking.ip => 10.0.0.1}]"}
	if got := notices(out); status != 0 || !slices.Equal(got, want) {
		t.Fatalf("puppet apply ended with %d and %q, want %q\n%s", status, got, want, complaint)
	}
	n, ok := r.Node(certname)
	if !ok {
		t.Fatalf("the node is not there\n%s%s", out, complaint)
	}
	last, _ := n.Facts["last_run"].(map[string]any)
	if n.Facts["customer"] != "acme" || n.Facts["big"] != json.Number("12345678901234567890") || n.Facts["umlaut"] != "grüße" || n.Facts["environment"] != "production" {
		t.Errorf("the facts are %v", n.Facts)
	}
	if !slices.Equal(n.Classes, []string{"apache::vhosts"}) || last["status"] != "changed" || last["failed"] != int64(0) || n.Auth != "forwarder "+certname {
		t.Errorf("the classes are %v, the last run %v, proven by %s", n.Classes, last, n.Auth)
	}
	if strings.Contains(string(registry.AppendRecord(nil, &n)), "CANARY") {
		t.Error("a parameter was kept")
	}
}

// What would take configuration away if it were answered with an empty list
// fails the catalog, with a sentence.
func TestWhatTheTerminusMayNotBelieve(t *testing.T) {
	t.Parallel()
	p := withPuppetDB(t, fleet(t))
	for manifest, says := range map[string]string{
		`Notify <<| tag == 'x' |>>`:                                        "only classes are held here",
		`$x = puppetdb_query('resources { exported = true }') notice($x)`:  "only classes are held here",
		`$x = puppetdb_query('nodes[certname] { certname = }') notice($x)`: "column",
	} {
		out, complaint, status := p.applyWith(t, storing, manifest)
		if status == 0 || len(notices(out)) != 0 || !strings.Contains(complaint+out, says) {
			t.Errorf("%s ended with %d, want a failure with %q\n%s%s", manifest, status, says, out, complaint)
		}
	}
}

const pypuppetdb = `
import sys
from pypuppetdb import connect
db = connect(host='127.0.0.1', port=int(sys.argv[1]))
print(db.current_version())
print(*sorted(n.name for n in db.nodes()))
node = db.node('db1.acme.net')
print(node.name, node.deactivated, node.report_environment, node.status)
print(*sorted(f.node + '=' + f.value for f in node.facts() if f.name == 'customer'))
print(*sorted(str(f.value) for f in db.facts('environment')))
print(*db.fact_names())
print(*(e['name'] for e in db.environments()))
print(*sorted(i.node for i in db.inventory(query='["=","facts.customer","zenith"]')))
print(*sorted(r.node + r.name for r in db.resources('Class', 'Apache')))
print(len(list(db.nodes(limit=2, order_by='[{"field": "certname", "order": "desc"}]', include_total=True))), db.total)
try:
    print(list(db.reports()))
except Exception as e:
    print(type(e).__name__)
`

// Debian's pypuppetdb works as it is.
func TestPyPuppetDB(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(openServer(t), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", pypuppetdb, port).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := `7.12.1
db1.acme.net db1.zenith.net db2.acme.net web1.acme.net
db1.acme.net False None None
db1.acme.net=acme
development development development production
customer environment networking rack
development production
db1.zenith.net
web1.acme.netApache
2 4
HTTPError
`
	if string(out) != want {
		t.Errorf("it printed\n%s, want\n%s", out, want)
	}
}
