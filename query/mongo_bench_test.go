package query

import (
	"testing"
	"time"
)

const typicalMongo = `{'facts.customer': 'acme', 'facts.environment':development, classes: 'mysql::master'}`

func BenchmarkParseMongo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(typicalMongo, Options{Dialect: "mongo"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchesMongo(b *testing.B) {
	doc := &Document{
		Identity: "web1", Classes: []string{"settings", "apache", "mysql::master"},
		Facts: map[string]any{"customer": "acme", "environment": "development", "cpus": int64(4), "tags": []any{"web", "db"}},
	}
	for _, text := range []string{
		typicalMongo,
		`{'facts.tags': 'db', 'facts.cpus': {$gte: 2, $lt: 8}, classes: {$in: ['nginx', 'apache']}}`,
		`{$or: [{'facts.customer': /^ac/}, {identity: 'web1'}], lastseen: {$not: {$gte: ISODate('2026-01-01')}}}`,
	} {
		q, err := Parse(text, Options{Dialect: "mongo"})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !Matches(q.Filter, doc, time.Time{}) {
					b.Fatal("does not match")
				}
			}
		})
	}
}
