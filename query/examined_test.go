package query

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// examinedCase is a case of examined.json: a query in one dialect, asked of one
// of the fleets there.
type examinedCase struct {
	ID      string
	Dialect string
	Docs    string
	Query   string
	Argv    []string
	Expect  []string
	Refused bool
	Offset  *int
	Rows    []map[string]any
	Ordered bool
}

// examined is what stands between the lines of the other case files: the same
// operators over the same documents, expectations reasoned from the papers.
type examined struct {
	Docs  map[string][]map[string]any
	Cases []examinedCase
}

func readExamined(t *testing.T) examined {
	t.Helper()
	f, err := os.Open("testdata/cases/examined.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	var e examined
	if err := d.Decode(&e); err != nil || len(e.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(e.Cases), err)
	}
	return e
}

func (c examinedCase) parse() (*Query, error) {
	switch c.Dialect {
	case "mongo", "pql", "ast", "native", "auto":
		return Parse(c.Query, Options{Dialect: Dialect(c.Dialect)})
	}
	old := conformance{Dialect: c.Dialect, Query: c.Query, Argv: c.Argv}
	return old.parse()
}

func TestExaminedCases(t *testing.T) {
	e := readExamined(t)
	for _, c := range e.Cases {
		t.Run(c.ID, func(t *testing.T) {
			q, err := c.parse()
			if c.Refused {
				if err == nil {
					t.Fatalf("%q is read as %s; want a refusal", c.Query, Tree(q.Filter))
				}
				if c.Argv == nil {
					if syn := checkRefusal(t, c.Query, err); c.Offset != nil && syn.Offset != *c.Offset {
						t.Errorf("%q: mistake at %d, want %d: %v", c.Query, syn.Offset, *c.Offset, err)
					}
				}
				return
			}
			if err != nil {
				t.Fatalf("%q: %v; want %v", c.Query, err, c.Expect)
			}
			old := serverCase{ID: c.ID, Query: c.Query, Docs: e.Docs[c.Docs], Expect: c.Expect, Rows: c.Rows}
			if c.Rows != nil {
				old.checkRows(t, q)
				return
			}
			var got []string
			if c.Ordered {
				got = old.firstColumn(t, q)
			} else {
				got = old.answer(t, q)
				slices.Sort(c.Expect)
			}
			if !slices.Equal(got, c.Expect) {
				t.Errorf("%q, read as %s:\ngot  %v\nwant %v", c.Query, Tree(q.Filter), got, c.Expect)
			}
		})
	}
}
