package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const docFile = "../docs/query.md"

// fence is a block of code in the paper, with its language.
var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// docFleet is the nodes that the paper shows.
func docFleet(t *testing.T, text string) []*Document {
	t.Helper()
	var docs []*Document
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		if block[1] != "ndjson" {
			continue
		}
		for line := range strings.Lines(block[2]) {
			var d struct {
				caseDoc
				State    string `json:"state"`
				LastSeen string `json:"lastseen"`
			}
			decoder := json.NewDecoder(strings.NewReader(line))
			decoder.UseNumber()
			if err := decoder.Decode(&d); err != nil {
				t.Fatal(err)
			}
			age, ok := parseAge(d.LastSeen)
			if !ok {
				t.Fatalf("%s is no age", d.LastSeen)
			}
			doc := d.document()
			doc.State, doc.Seen = d.State, testNow.Add(-age)
			docs = append(docs, doc)
		}
	}
	if len(docs) < 4 {
		t.Fatalf("the paper shows %d nodes", len(docs))
	}
	return docs
}

// TestDocs runs every example of the paper, and compares its tables, its
// mistakes and its grammar with the code; -update rewrites them.
func TestDocs(t *testing.T) {
	file, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	docs := docFleet(t, string(file))
	examples := 0
	text := fence.ReplaceAllStringFunc(string(file), func(block string) string {
		parts := fence.FindStringSubmatch(block)
		if !slices.Contains(Dialects(), Dialect(parts[1])) {
			return block
		}
		var b strings.Builder
		for line := range strings.Lines(parts[2]) {
			examples++
			b.WriteString(docExample(t, Dialect(parts[1]), strings.TrimSuffix(line, "\n"), docs) + "\n")
		}
		return "```" + parts[1] + "\n" + b.String() + "```"
	})
	if examples < 80 {
		t.Errorf("only %d examples", examples)
	}
	for name, section := range map[string]string{
		"signs": docSigns(), "mistakes": docMistakes(t, text),
		"grammar native": ebnf(nativeParser().String()), "grammar pql": ebnf(pqlParser().String()), "grammar mongo": ebnf(relaxedParser().String()),
	} {
		text = replaceSection(t, text, name, section)
	}
	for _, table := range truthTables {
		text = replaceSection(t, text, "table "+table.name, table.render(t))
	}
	golden(t, docFile, text)
}

func ebnf(grammar string) string { return "```ebnf\n" + grammar + "\n```\n" }

func replaceSection(t *testing.T, text, name, section string) string {
	t.Helper()
	begin := "<!-- " + name + " -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no section %q", docFile, name)
	}
	return before + begin + section + "<!-- end -->" + after
}

// docExample is the line of an example with those it selects.
func docExample(t *testing.T, d Dialect, line string, docs []*Document) string {
	t.Helper()
	query, _, ok := strings.Cut(line, "→")
	if !ok {
		t.Errorf("%q shows no nodes", line)
	}
	q, err := Parse(strings.TrimRight(query, " "), Options{
		Dialect: d, Named: map[string]any{"customer": "acme"}, Positional: []any{4}, Saved: map[string]string{"old": "seen > 2d"},
	})
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return line
	}
	q.Filter = Map(q.Filter, func(e Expr) Expr {
		if sub, ok := e.(*Subquery); ok {
			var values []any
			for _, doc := range docs {
				if Matches(sub.Query.Filter, doc, testNow) {
					path := sub.Path
					if len(sub.Query.Select) > 0 {
						path = sub.Query.Select[0].Path
					}
					values = append(values, path.Values(doc)...)
				}
			}
			return sub.Resolve(values)
		}
		return e
	})
	var names []string
	for _, doc := range docs {
		if Matches(q.Filter, doc, testNow) {
			name, _, _ := strings.Cut(doc.Identity, ".")
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{"nobody"}
	}
	return query + "→ " + strings.Join(names, " ")
}

func docSigns() string {
	var b strings.Builder
	for _, s := range signs {
		means := s.words
		switch {
		case s.view == "version":
			means = signOf(s.op).words + ", in the order of versions"
		case s.literal:
			means = signOf(s.op).words + ", and what follows is text in every dialect"
		case means == "":
			means = "as `" + s.op + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", s.text, means)
	}
	b.WriteString("| `in`, `not in` | is one of, is none of a list, a network or another query |\n" +
		"| `between A and B` | is from A to B |\n| `before`, `after` | of a date; with an age: is older, is younger |\n" +
		"| `is null`, `is not null` | is JSON's null, is there and is not null |\n| `has X`, `has all (…)`, `has any (…)`, `has key X` | a list has, a map has |\n")
	return b.String()
}

func docMistakes(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("```text\n")
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		if block[1] != "mistake" {
			continue
		}
		for line := range strings.Lines(block[2]) {
			_, err := Parse(strings.TrimSuffix(line, "\n"), Options{})
			syn, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Errorf("%q is no mistake: %v", line, err)
				continue
			}
			fmt.Fprintf(&b, "%s\n    %s\n", syn, strings.ReplaceAll(syn.Snippet(), "\n", "\n    "))
		}
	}
	return b.String() + "```\n"
}

// truthTable asks the same of every dialect, of a few facts.
type truthTable struct {
	name  string
	facts map[string]any // by label; the fact is called a
	class map[string]string
	rows  [][]string // native, select, with, mongo, pql; "" where it can not be said
}

var truthTables = []truthTable{
	{name: "absent", facts: map[string]any{"absent": nil}, rows: [][]string{
		{"a = x", "a = x", "a=x", "{facts.a: x}", "facts.a = 'x'"},
		{"a != x", "a != x", "a!=x", "{facts.a: {$ne: x}}", "facts.a != 'x'"},
		{"not a = x", "not a = x", "!a=x", "{facts.a: {$not: {$eq: x}}}", "!(facts.a = 'x')"},
		{"a > 1", "a > 1", "a>1", "{facts.a: {$gt: 1}}", "facts.a > 1"},
		{"not a > 1", "not a > 1", "!a>1", "{facts.a: {$not: {$gt: 1}}}", "!(facts.a > 1)"},
		{"a =~ x", "a =~ x", "a=~x", "{facts.a: /x/}", "facts.a ~ 'x'"},
		{"a !~ x", "a !~ x", "a!~x", "{facts.a: {$not: /x/}}", "facts.a !~ 'x'"},
		{"a in (x)", "a in (x)", "", "{facts.a: {$in: [x]}}", "facts.a in ['x']"},
		{"a not in (x)", "a not in (x)", "", "{facts.a: {$nin: [x]}}", "!(facts.a in ['x'])"},
		{"a is null", "a is null", "", "{facts.a: null}", "facts.a is null"},
		{"a is not null", "a is not null", "", "{facts.a: {$ne: null}}", "facts.a is not null"},
		{"exists a", "exists a", "", "{facts.a: {$exists: true}}", ""},
	}},
	{name: "lists", facts: map[string]any{"one": []any{"web"}, "two": []any{"web", "db"}, "none": []any{}}, rows: [][]string{
		{"a = web", "a = web", "a=web", "{facts.a: web}", "facts.a = 'web'"},
		{"a != web", "a != web", "", "{facts.a: {$ne: web}}", "facts.a != 'web'"},
		{"any a != web", "any a != web", "a!=web", "", ""},
		{"all a = web", "all a = web", "", "", ""},
		{"none a = web", "none a = web", "", "", ""},
		{"a = [web, db]", "", "", "{facts.a: [web, db]}", "facts.a = ['db', 'web']"},
		{"a = /^d/", "a = /^d/", "a=/^d/", "{facts.a: /^d/}", "facts.a ~ '^d'"},
		{"count(a) = 2", "count(a) = 2", "", "{facts.a: {$size: 2}}", ""},
		{"exists a", "exists a", "", "{facts.a: {$exists: true}}", ""},
	}},
	{name: "numbers", facts: map[string]any{"int": int64(4), "float": 4.0, "text": "4", "padded": "04", "ten": "10", "word": "abc"}, rows: [][]string{
		{"a = 4", "a = 4", "a=4", "{facts.a: 4}", "facts.a = 4"},
		{"a = '4'", "a = '4'", "a='4'", "{facts.a: '4'}", "facts.a = '4'"},
		{"a = 4.0", "a = 4.0", "a=4.0", "{facts.a: 4.0}", "facts.a = 4.0"},
		{"a > 3", "a > 3", "a>3", "{facts.a: {$gt: 3}}", "facts.a > 3"},
		{"a < 10", "a < 10", "a<10", "{facts.a: {$lt: 10}}", "facts.a < 10"},
		{"a < b", "a < b", "a<b", "{facts.a: {$lt: b}}", "facts.a < 'b'"},
		{"a =~ ^4$", "a =~ ^4$", "a=~^4$", "{facts.a: /^4$/}", "facts.a ~ '^4$'"},
	}},
	{name: "case", facts: map[string]any{"low": "acme", "high": "ACME"}, class: map[string]string{"lower": "a::b", "upper": "A::B"}, rows: [][]string{
		{"a = acme", "a = acme", "a=acme", "{facts.a: acme}", "facts.a = 'acme'"},
		{"a = /acme/i", "a = /acme/i", "a=/acme/i", "{facts.a: /acme/i}", "facts.a ~ '(?i)acme'"},
		{"fold(a) = Acme", "fold(a) = Acme", "", "", ""},
		{"a::b", "a::b", "a::b", "{classes: 'a::b'}", "classes = 'a::b'"},
		{"/^a/", "/^a/", "/^a/", "{classes: /^a/}", "classes ~ '^a'"},
	}},
}

func (table truthTable) render(t *testing.T) string {
	t.Helper()
	dialects := []Dialect{"native", "select", "with", "mongo", "pql"}
	var b strings.Builder
	b.WriteString("| native | select | with | mongo | pql |\n|---|---|---|---|---|\n")
	for _, row := range table.rows {
		for i, text := range row {
			if text == "" {
				b.WriteString("| ")
				continue
			}
			full := text
			if dialects[i] == "pql" {
				full = "inventory { " + text + " }"
			}
			q, err := Parse(full, Options{Dialect: dialects[i]})
			if err != nil {
				t.Errorf("%s: %v", full, err)
				continue
			}
			fmt.Fprintf(&b, "| `%s`: %s ", text, table.who(q))
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// who is the labels of the facts and classes that a query selects.
func (table truthTable) who(q *Query) string {
	var labels []string
	for _, label := range sortedKeys(table.facts) {
		doc := &Document{Identity: label, Facts: map[string]any{}}
		if label != "absent" {
			doc.Facts["a"] = table.facts[label]
		}
		if Matches(q.Filter, doc, time.Time{}) {
			labels = append(labels, label)
		}
	}
	for _, label := range sortedKeys(table.class) {
		if Matches(q.Filter, &Document{Identity: label, Classes: []string{table.class[label]}}, time.Time{}) {
			labels = append(labels, label)
		}
	}
	switch {
	case table.name == "absent" && len(labels) > 0:
		return "**true**"
	case table.name == "absent":
		return "false"
	case len(labels) == 0:
		return "–"
	}
	return strings.Join(labels, ", ")
}

// The package stays small: what it exports is counted.
func TestExportedNames(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	exported := regexp.MustCompile(`(?m)^(?:func|type|var|const) ([A-Z]\w*)|^\t([A-Z]\w*)(?: +[A-Za-z.]+)? += `)
	var names []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exported.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1]+m[2])
		}
	}
	slices.Sort(names)
	if len(names) > 30 || len(names) < 20 {
		t.Errorf("%d exported names: %s", len(names), strings.Join(names, " "))
	}
}
