package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"muster/query"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// nodes are two machines that the examples ask.
func nodes() []*query.Document {
	return []*query.Document{
		{
			Identity: "db1.acme.net", Classes: []string{"Mysql::Master"}, Seen: now.Add(-time.Minute),
			Facts: map[string]any{"customer": "acme", "os": map[string]any{"name": "Debian"}, "cpus": int64(8)},
		},
		{
			Identity: "web1.acme.net", Classes: []string{"nginx"}, Seen: now.Add(-72 * time.Hour),
			Facts: map[string]any{"customer": "acme", "os": map[string]any{"name": "CentOS"}, "cpus": int64(4)},
		},
	}
}

// names of the nodes that a query selects.
func names(q *query.Query) []string {
	var found []string
	for _, node := range nodes() {
		if query.Matches(q.Filter, node, now) {
			found = append(found, node.Identity)
		}
	}
	return found
}

// The same nodes, asked for in each dialect. Nobody has to name the dialect.
func ExampleParse() {
	for _, text := range []string{
		"customer=acme and mysql::master",
		"customer=acme mysql::master",
		"{'facts.customer': 'acme', classes: 'Mysql::Master'}",
		"inventory { facts.customer = 'acme' and classes = 'mysql::master' }",
		`["and", ["=", "facts.customer", "acme"], ["=", "classes", "mysql::master"]]`,
	} {
		q, err := query.Parse(text, query.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(q.Dialect, names(q))
	}
	// Output:
	// native [db1.acme.net]
	// with [db1.acme.net]
	// mongo [db1.acme.net]
	// pql [db1.acme.net]
	// ast [db1.acme.net]
}

// What a parameter holds is never read as language.
func ExampleParse_parameters() {
	q, err := query.Parse("customer = $customer and cpus > ?", query.Options{
		Named: map[string]any{"customer": "acme or true"}, Positional: []any{4},
	})
	fmt.Println(query.Tree(q.Filter), err)
	// Output: (and (= facts.customer "acme or true") (> facts.cpus 4)) <nil>
}

// Clauses come after the filter.
func ExampleQuery_Rows() {
	q, err := query.Parse("exists os | select customer, count(), max(cpus) | group by customer", query.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	columns, rows := q.Rows(slices.Values(nodes()), now)
	fmt.Println(columns, rows)
	// Output: [customer count max] [[acme 2 8]]
}

// A mistake has a place and, where possible, a text that works.
func ExampleSyntaxError() {
	_, err := query.Parse("customer=acme && nginx", query.Options{})
	if mistake, ok := errors.AsType[*query.SyntaxError](err); ok {
		fmt.Println(mistake.Problem)
		fmt.Println(mistake.Snippet())
		fmt.Println(mistake.Suggestion)
	}
	// Output:
	// "&&" can not stand here
	// customer=acme && nginx
	//               ^^
	// customer=acme and nginx
}

// The filters of a command line are all to hold; of several identities one.
func ExampleFilters_Parse() {
	q, err := query.Filters{Fact: []string{"customer=acme"}, Class: []string{"/^Mysql/"}, Identity: []string{"/^db/", "/^web/"}}.Parse()
	fmt.Println(names(q), err)
	// Output: [db1.acme.net] <nil>
}

func ExampleMatches() {
	q, err := query.Parse("seen > 2d and not os.name = Debian", query.Options{})
	fmt.Println(names(q), err)
	// Output: [web1.acme.net] <nil>
}

// A query in other words, or why there are none.
func ExampleFormat() {
	q, err := query.Parse("customer=acme and not nginx and seen > 2h", query.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range query.Dialects()[1:] {
		text, err := query.Format(q, d)
		if err != nil {
			text = "can not say it: " + err.Error()
		}
		fmt.Printf("%s: %s\n", d, text)
	}
	// Output:
	// native: customer = acme and not nginx and seen > 2h
	// select: native(customer) = acme and not nginx and seen > 2h
	// with: can not say it: with compares every fact as text
	// mongo: can not say it: mongo cannot say this: it has no ages, only dates
	// pql: can not say it: pql cannot say this: it has no ages, only dates
	// ast: can not say it: ast cannot say this: it has no ages, only dates
}

func ExampleTree() {
	q, _ := query.Parse("!web and os.name!=Linux", query.Options{})
	fmt.Println(query.Tree(q.Filter))
	// Output: (and (not (= classes "web" class)) (!= facts.os.name "Linux" all))
}

func ExampleWords() {
	q, _ := query.Parse("customer != acme or kernelversion > 2.6.9", query.Options{})
	fmt.Println(query.Words(q.Filter))
	// Output:
	// at least one of:
	//   fact customer is not "acme" (false where the fact is absent; of a list, no element may)
	//   fact kernelversion is above "2.6.9" (in the order of versions)
}

func ExampleWhy() {
	q, _ := query.Parse("customer=acme and nginx and cpus < 8", query.Options{})
	for _, reason := range query.Why(q.Filter, nodes()[0], now) {
		fmt.Printf("%s, but there is %s\n", reason.Clause, reason.Seen)
	}
	// Output:
	// nginx, but there is "Mysql::Master"
	// cpus < 8, but there is 8
}

// A registry runs subqueries first and puts their answers in the tree.
func ExampleMap() {
	q, _ := query.Parse("identity in { mysql::master }", query.Options{})
	filter := query.Map(q.Filter, func(e query.Expr) query.Expr {
		if sub, ok := e.(*query.Subquery); ok {
			var values []any
			for _, name := range names(sub.Query) {
				values = append(values, name)
			}
			return sub.Resolve(values)
		}
		return e
	})
	fmt.Println(query.Tree(filter))
	// Output: (in identity ["db1.acme.net"] host)
}

func ExampleDialects() {
	fmt.Println(query.Dialects())
	// Output: [auto native select with mongo pql ast]
}

func ExampleParseDialect() {
	d, err := query.ParseDialect("PQL")
	fmt.Println(d, err)
	_, err = query.ParseDialect("sql")
	fmt.Println(err)
	// Output:
	// pql <nil>
	// there is no dialect "sql"; known are auto, native, select, with, mongo, pql, ast
}

// vocabulary is the names of a small fleet.
func vocabulary() query.Vocabulary {
	return query.Vocabulary{
		Names: func(kind string) map[string]int {
			return map[string]map[string]int{"fact": {"customer": 2, "cpus": 2, "os.name": 2}, "class": {"nginx": 1, "mysql::master": 1}}[kind]
		},
		Values: func(path string) map[string]int {
			return map[string]map[string]int{"customer": {"acme": 2}, "os.name": {"Debian": 1, "CentOS": 1}}[path]
		},
	}
}

func ExampleVocabulary_Warnings() {
	q, _ := query.Parse("custmer=acme and ngnix", query.Options{})
	fmt.Println(strings.Join(vocabulary().Warnings(q), "\n"))
	// Output:
	// no node has the fact custmer; did you mean customer (2 nodes)?
	// no node has the class ngnix; did you mean nginx (1 node)?
}

func ExampleVocabulary_Check() {
	q, _ := query.Parse("not custmer=acme", query.Options{})
	fmt.Println(vocabulary().Check(q))
	// Output: native query: column 5: no node has the fact custmer; want customer (2 nodes); did you mean: not customer=acme
}

func ExampleVocabulary_Complete() {
	text := "nginx and os.name = "
	start, candidates := vocabulary().Complete(text, len(text), "native")
	fmt.Println(start, candidates)
	start, candidates = vocabulary().Complete("nginx and cu", 12, "native")
	fmt.Println(start, candidates)
	// Output:
	// 20 [CentOS Debian]
	// 10 [customer]
}

func ExamplePath_Values() {
	q, _ := query.Parse("nginx | select os.name", query.Options{})
	fmt.Println(q.Select[0].Path.Values(nodes()[1]))
	// Output: [CentOS]
}
