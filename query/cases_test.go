package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// caseDoc is a document as the case files have it.
type caseDoc struct {
	Identity    string         `json:"identity"`
	Facts       map[string]any `json:"facts"`
	Classes     []string       `json:"classes"`
	Agents      []string       `json:"agents"`
	Collectives []string       `json:"collectives"`
	LastSeen    int64          `json:"lastseen"`
}

type conformance struct {
	ID        string    `json:"id"`
	Dialect   string    `json:"dialect"`
	Query     string    `json:"query"`
	Argv      []string  `json:"argv"`
	Docs      []caseDoc `json:"docs"`
	Expect    []string  `json:"expect"` // null: refused
	Recommend *struct {
		Expect []string `json:"expect"`
		Error  bool     `json:"error"`
	} `json:"recommend"`
}

// want is what we are to answer: nil if the text is to be refused.
func (c *conformance) want() []string {
	if c.Recommend == nil {
		return c.Expect
	}
	if c.Recommend.Error {
		return nil
	}
	return append([]string{}, c.Recommend.Expect...)
}

func readCases(t *testing.T, file string) []conformance {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var cases []conformance
	if err := decoder.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("%s has only %d cases", file, len(cases))
	}
	return cases
}

func (d caseDoc) document() *Document {
	doc := &Document{
		Identity: d.Identity, Classes: d.Classes, Agents: d.Agents, Collectives: d.Collectives,
		State: "active", Facts: map[string]any{},
	}
	for name, v := range d.Facts {
		doc.Facts[name] = plainJSON(v)
	}
	if d.LastSeen != 0 {
		doc.Seen = time.Unix(d.LastSeen, 0).UTC()
	}
	return doc
}

// plainJSON turns decoded numbers into what a Document holds.
func plainJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plainJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainJSON(v[k])
		}
	}
	return v
}

func (c *conformance) parse() (*Query, error) {
	switch c.Dialect {
	case "mco-select":
		return Parse(c.Query, Options{Dialect: "select"})
	case "mco-with":
		return Parse(c.Query, Options{Dialect: "with"})
	case "mco-fact":
		return Filters{Fact: []string{c.Query}}.Parse()
	case "mco-class":
		return Filters{Class: []string{c.Query}}.Parse()
	case "mco-agent":
		return Filters{Agent: []string{c.Query}}.Parse()
	case "mco-identity":
		return Filters{Identity: []string{c.Query}}.Parse()
	case "mco-argv":
		var f Filters
		for i := 0; i+1 < len(c.Argv); i += 2 {
			list := map[string]*[]string{
				"-S": &f.Select, "-W": &f.With, "-F": &f.Fact, "-C": &f.Class, "-A": &f.Agent, "-I": &f.Identity,
			}[c.Argv[i]]
			*list = append(*list, c.Argv[i+1])
		}
		return f.Parse()
	}
	return nil, fmt.Errorf("unknown dialect %q", c.Dialect)
}

// agreedDifferences are the cases that we answer differently on purpose, each
// with its decision record.
var agreedDifferences = map[string]string{
	"mco-S-135": "docs/decisions/0300-unknown-functions.md",
}

func TestAncestorCases(t *testing.T) {
	for _, c := range readCases(t, "testdata/cases/mco.json") {
		t.Run(c.ID, func(t *testing.T) {
			q, err := c.parse()
			if record, ok := agreedDifferences[c.ID]; ok {
				if _, missing := os.Stat("../" + record); missing != nil {
					t.Fatal(missing)
				}
				if err == nil {
					t.Errorf("%q is accepted, which %s says it is not", c.Query, record)
				}
				return
			}
			want := c.want()
			if err != nil {
				if want != nil {
					t.Errorf("%q: %v; want %v", c.Query, err, want)
				}
				return
			}
			if want == nil {
				t.Fatalf("%q is read as %s; want a refusal", c.Query, Tree(q.Filter))
			}
			var got []string
			for _, d := range c.Docs {
				if Matches(q.Filter, d.document(), time.Unix(1700000000, 0)) {
					got = append(got, d.Identity)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%q, read as %s:\ngot  %v\nwant %v", c.Query, Tree(q.Filter), got, want)
			}
		})
	}
}
