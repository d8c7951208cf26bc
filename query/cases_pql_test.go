package query

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPQLCases(t *testing.T) {
	for _, c := range readServerCases(t, "pql.json") {
		t.Run(c.ID, func(t *testing.T) {
			names, refused := c.wanted()
			q, err := Parse(c.Query, Options{Dialect: c.dialect()})
			if refused {
				_ = checkRefusal(t, c.Query, err)
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Query, err)
			}
			if c.Rows != nil {
				c.checkRows(t, q)
				return
			}
			got := c.firstColumn(t, q)
			if !c.Ordered {
				slices.Sort(names)
				slices.Sort(got)
			}
			if !slices.Equal(got, names) {
				t.Errorf("%s: %s answers %s, want %s", c.Query, Tree(q.Filter), strings.Join(got, " "), strings.Join(names, " "))
			}
			if len(q.OrderBy) == 0 && q.Limit == nil && !slices.Equal(c.answer(t, q), names) {
				t.Errorf("%s: the filter %s answers %s, want %s", c.Query, Tree(q.Filter), strings.Join(c.answer(t, q), " "), strings.Join(names, " "))
			}
		})
	}
}

func (c *serverCase) dialect() Dialect {
	if strings.HasPrefix(c.Query, "[") {
		return "ast"
	}
	return "pql"
}

func (c *serverCase) documents(t *testing.T) []*Document {
	var docs []*Document
	for _, raw := range c.Docs {
		docs = append(docs, caseDocument(t, raw))
	}
	return docs
}

// firstColumn is the names that answer, each once.
func (c *serverCase) firstColumn(t *testing.T, q *Query) []string {
	names, rows := q.Rows(slices.Values(c.documents(t)), time.Unix(1_700_000_000, 0))
	if names[0] != "certname" && names[0] != "identity" {
		t.Fatalf("%s: the first column is %s", c.Query, names[0])
	}
	got := []string{}
	for _, row := range rows {
		if name := row[0].(string); !slices.Contains(got, name) {
			got = append(got, name)
		}
	}
	return got
}

// checkRows compares an answer in rows, in any order.
func (c *serverCase) checkRows(t *testing.T, q *Query) {
	names, rows := q.Rows(slices.Values(c.documents(t)), time.Unix(1_700_000_000, 0))
	var got, want []string
	for _, row := range rows {
		shown := map[string]any{}
		for i, v := range row {
			shown[names[i]] = v
		}
		got = append(got, jsonText(t, shown))
	}
	for _, row := range c.Rows {
		want = append(want, jsonText(t, row))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", c.Query, got, want)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
