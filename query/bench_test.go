package query

import (
	"strings"
	"testing"
	"time"
)

// typical is a filter as people type it: three clauses.
const typical = "environment=development and customer=acme and mysql::master"

// node is a document with the usual number of top-level facts.
func node() *Document {
	doc := &Document{
		Identity: "db1.acme.net", State: "active", Seen: time.Unix(1700000000, 0),
		Classes: []string{"settings", "base", "ssh", "ntp", "mysql::client", "mysql::master"}, Agents: []string{"rpcutil", "puppet"}, Collectives: []string{"mcollective"},
		Facts: map[string]any{
			"environment": "development", "customer": "acme", "kernelversion": "2.6.32", "uptime_days": int64(12), "memorysize_mb": 7821.34,
			"is_virtual": "true", "ipaddress": "10.1.2.3", "roles": []any{"db", "master"},
			"os":    map[string]any{"name": "Debian", "release": map[string]any{"major": "12", "full": "12.5"}},
			"disks": map[string]any{"sda": map[string]any{"size": int64(200), "type": "ssd"}},
		},
	}
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p q r s t u v w x y z") {
		doc.Facts["fact_"+name] = "value"
	}
	return doc
}

// filters are those whose evaluation must not allocate.
var filters = []string{
	typical,
	"os.release.major >= 8 and not /^apache/ and identity = db*",
	"memorysize_mb > 4096 and uptime_days between 2 and 30 and kernelversion >~ 2.6.9",
	"roles = db and ipaddress in 10.0.0.0/8 and seen > 2h",
	"any disks { size > 100 and type = ssd } and environment not in (dev, test, qa)",
	"count(roles) >= 2 and exists customer and customer = /^ac/i and is_virtual = true",
}

func BenchmarkParse(b *testing.B) {
	for _, d := range []Dialect{"native", "select", "with"} {
		b.Run(string(d), func(b *testing.B) {
			b.ReportAllocs()
			text := typical
			if d == "with" {
				text = "environment=development customer=acme mysql::master"
			}
			for b.Loop() {
				if _, err := Parse(text, Options{Dialect: d}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A thousand clauses, which is as many as there may be.
func BenchmarkParseThousandClauses(b *testing.B) {
	text := strings.Repeat("facts=1 or ", maxClauses-1) + "facts=1"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, Options{Dialect: "native"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefuseMillion(b *testing.B) {
	for _, c := range []string{"(", "!", "a or ", "/", "'"} {
		text := strings.Repeat(c, 1_000_000)
		b.Run(c, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(text, Options{}); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

func BenchmarkMatches(b *testing.B) {
	doc, now := node(), time.Unix(1700010000, 0)
	for _, text := range filters {
		q, err := Parse(text, Options{Dialect: "native"})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Matches(q.Filter, doc, now)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/node")
		})
	}
}

// A compiled filter allocates nothing for a node.
func TestMatchesAllocatesNothing(t *testing.T) {
	doc, now := node(), time.Unix(1700010000, 0)
	for _, text := range filters {
		q, err := Parse(text, Options{Dialect: "native"})
		if err != nil {
			t.Fatal(err)
		}
		if !Matches(q.Filter, doc, now) {
			t.Errorf("%s does not match the node, so little of it was asked", text)
		}
		if allocs := testing.AllocsPerRun(100, func() { Matches(q.Filter, doc, now) }); allocs != 0 {
			t.Errorf("%s: %v allocations a node", text, allocs)
		}
	}
}
