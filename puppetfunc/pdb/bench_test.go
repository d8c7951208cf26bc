package pdb_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"muster/puppetfunc/pdb"
	"muster/registry"
	"muster/registry/index/indextest"
)

// Decoding 8.5 KB of facts and a catalog of 20 KB, beside what the standard
// library takes for the same text without looking at it.
func BenchmarkDecode(b *testing.B) {
	facts := indextest.Fleet{}.Node(17).Facts
	delete(facts, "ssh")
	var resources []string
	for i := range 62 {
		resources = append(resources, fmt.Sprintf(`{"type":"Class","title":"Profile::Part%02d","tags":["class","profile::part%02d","profile"],"file":"/etc/puppetlabs/code/environments/production/modules/profile/manifests/part.pp","line":7,"exported":false,"parameters":{"ensure":"present","port":%d,"hosts":["a","b"],"options":{"x":1}}}`, i, i, 8000+i))
	}
	for name, test := range map[string]struct {
		command, version, body string
	}{
		"facts":   {"replace_facts", "5", fmt.Sprintf(`{"certname":"a","environment":"production","values":%s}`, registry.AppendJSON(nil, facts))},
		"catalog": {"replace_catalog", "9", fmt.Sprintf(`{"certname":"a","edges":[],"resources":[%s]}`, strings.Join(resources, ","))},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pdb.Decode(params(test.command, test.version, "a"), []byte(test.body)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" as any JSON", func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				var v map[string]any
				if err := json.Unmarshal([]byte(test.body), &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
