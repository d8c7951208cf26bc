package query

import (
	"slices"
	"strings"
	"testing"
)

func TestPQLCases(t *testing.T) {
	for _, c := range readServerCases(t, "pql.json") {
		t.Run(c.ID, func(t *testing.T) {
			names, refused := c.wanted()
			q, err := Parse(c.Query, Options{Dialect: c.dialect()})
			if refused {
				checkRefusal(t, c.Query, err)
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Query, err)
			}
			if c.Rows != nil || c.Ordered || q.Limit != nil {
				return
			}
			slices.Sort(names)
			if got := c.answer(t, q); !slices.Equal(got, names) {
				t.Errorf("%s: %s answers %s, want %s", c.Query, Tree(q.Filter), strings.Join(got, " "), strings.Join(names, " "))
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
