package query

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// examined is what stands between the lines of the other case files: the same
// operators over the same documents.
type examined struct {
	Docs   map[string][]map[string]any
	Groups []struct {
		Dialect, Docs string
		Cases         []examinedCase
	}
}

type examinedCase struct {
	Query   string
	Argv    []string
	Expect  string // names with blanks between, sorted unless Ordered
	Refused bool
	Offset  *int
	Rows    []map[string]any
	Ordered bool
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
	if err := d.Decode(&e); err != nil || len(e.Groups) == 0 {
		t.Fatalf("%d groups, %v", len(e.Groups), err)
	}
	return e
}

func TestExaminedCases(t *testing.T) {
	e := readExamined(t)
	for _, g := range e.Groups {
		t.Run(g.Dialect+" of "+g.Docs, func(t *testing.T) {
			for _, c := range g.Cases {
				c.check(t, g.Dialect, e.Docs[g.Docs])
			}
		})
	}
}

func (c *examinedCase) parse(dialect string) (*Query, error) {
	if strings.HasPrefix(dialect, "mco-") {
		old := conformance{Dialect: dialect, Query: c.Query, Argv: c.Argv}
		return old.parse()
	}
	return Parse(c.Query, Options{Dialect: Dialect(dialect)})
}

func (c *examinedCase) check(t *testing.T, dialect string, docs []map[string]any) {
	t.Helper()
	q, err := c.parse(dialect)
	switch {
	case c.Refused && err == nil:
		t.Errorf("%q %q is read as %s; want a refusal", c.Query, c.Argv, Tree(q.Filter))
		return
	case c.Refused && c.Argv != nil:
		return
	case c.Refused:
		if syn := checkRefusal(t, c.Query, err); c.Offset != nil && syn.Offset != *c.Offset {
			t.Errorf("%q: mistake at %d, want %d: %v", c.Query, syn.Offset, *c.Offset, err)
		}
		return
	case err != nil:
		t.Errorf("%q %q: %v; want %q", c.Query, c.Argv, err, c.Expect)
		return
	}
	asked := serverCase{Query: c.Query, Docs: docs, Rows: c.Rows}
	if c.Rows != nil {
		asked.checkRows(t, q)
		return
	}
	names := asked.answer
	if c.Ordered {
		names = asked.firstColumn
	}
	if got := strings.Join(names(t, q), " "); got != c.Expect {
		t.Errorf("%q %q, read as %s:\ngot  %s\nwant %s", c.Query, c.Argv, Tree(q.Filter), got, c.Expect)
	}
}
