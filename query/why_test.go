package query

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhy(t *testing.T) {
	doc := fleet()[0]
	for _, c := range []struct{ text, want string }{
		{"site=fra and settings and cpus > 8", `site = fra: "ams"; cpus > 8: 4`},
		{"site=ams and settings", ""},
		{"nginx", `nginx: "settings", "Apache::Mod::Php", "mysql::client"`},
		{"not (settings and site=ams)", `not settings: "settings", "Apache::Mod::Php", "mysql::client"; not site = ams: "ams"`},
		{"site=x or site=y", `site = x: "ams"; site = y: "ams"`},
		{"nosuch = 1 and missing site", `nosuch = 1: nothing; missing site: "ams"`},
		{"missing identity", "missing identity: every node"},
		{"seen > 2h and state=stale and auth=psk", `seen > 2h: 2026-11-27T11:00:00Z, 1h ago; state = stale: "active"; auth = psk: "cert"`},
		{"disks.*.size > 500", `disks.*.size > 500: 50, 200`},
		{"any disks { size > 500 }", `any disks { size > 500 }: {"sda":{"size":50,"type":"ssd"},"sdb":{"…`},
		{"identity in { nginx }", `identity in { nginx }: "web1.acme.net"`},
		{"changed os.family within 2d", `changed os.family within 2d: "flat"`},
		{"agent=x and collective=y and fact=z", `agent = x: "puppet", "rpcutil"; collective = y: "mcollective", "eu"; fact = z: ` + factNames(doc)},
		{"os.release = x and mounts.free > 100 and mounts[1].free = 1 and trusted.extensions.pp_role = db", `os.release = x: {"full":"12.5","major":"12"}; mounts.free > 100: 5, 90; mounts[1].free = 1: 90; trusted.extensions.pp_role = db: "web"`},
		{"disks has key sdx and mongo(site) = b", `disks has key sdx: "sda", "sdb"; mongo(site) = b: "ams"`},
		{"fstat('/etc/hosts').mode = 1", `fstat("/etc/hosts").mode = 1: "100644"`},
	} {
		q, err := Parse(c.text, Options{Dialect: "native", Live: true})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var got []string
		for _, r := range Why(q.Filter, doc, testNow) {
			got = append(got, r.Clause+": "+r.Seen)
			if r.End < r.Start || r.End > len(c.text) {
				t.Errorf("%s: the clause %s is at %d to %d", c.text, r.Clause, r.Start, r.End)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, strings.Join(got, "; "), c.want)
		}
		if Matches(q.Filter, doc, testNow) != (len(got) == 0) {
			t.Errorf("%s: matches, and yet %v", c.text, got)
		}
	}
}

func factNames(doc *Document) string {
	var names []string
	for i, name := range sortedKeys(doc.Facts) {
		if i == 20 {
			names = append(names, fmt.Sprintf("… (%d in all)", len(doc.Facts)))
			break
		}
		names = append(names, quote(name))
	}
	return strings.Join(names, ", ")
}

// A node without a reason is a node that matches, for random queries.
func TestWhyAgreesWithMatches(t *testing.T) {
	for seed := range uint64(300) {
		d := rolled(seed)
		docs := d.fleet(10)
		q, err := Parse(d.rich(3), Options{Dialect: "native"})
		if err != nil {
			continue
		}
		for _, doc := range docs {
			if reasons := Why(q.Filter, doc, testNow); Matches(q.Filter, doc, testNow) != (len(reasons) == 0) {
				t.Fatalf("seed %d: %s: %v", seed, Tree(q.Filter), reasons)
			}
		}
	}
}
