package query

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// serverCase is one case of testdata/cases: documents, a query, and who answers.
type serverCase struct {
	ID     string
	Query  string
	Docs   []map[string]any
	Expect []string
	Error  *struct {
		Stage, Message string
		Offset         *int
	}
	Ordered bool
	Rows    []map[string]any `json:"expect_rows"`

	Recommend *struct {
		Expect []string
		Error  bool
	}
	VersionDependent bool `json:"version_dependent"`
}

func readServerCases(t testing.TB, name string) []serverCase {
	t.Helper()
	f, err := os.Open("testdata/cases/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.UseNumber()
	var cases []serverCase
	if err := d.Decode(&cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}

// caseDocument is a document of a case as a node that registered it.
func caseDocument(t *testing.T, raw map[string]any) *Document {
	t.Helper()
	doc := &Document{Facts: map[string]any{}}
	for key, v := range raw {
		v = caseValue(t, v)
		switch key {
		case "_id":
			if doc.Identity == "" {
				doc.Identity = v.(string)
			}
		case "identity":
			doc.Identity = v.(string)
		case "facts":
			doc.Facts = v.(map[string]any)
		case "classes":
			doc.Classes = caseNames(v)
		case "agents":
			doc.Agents = caseNames(v)
		case "collectives":
			doc.Collectives = caseNames(v)
		case "lastseen":
			switch v := v.(type) {
			case time.Time:
				doc.Seen = v
			case int64:
				doc.Seen = time.Unix(v, 0).UTC()
			}
		default:
			t.Fatalf("a document has an unknown field %s", key)
		}
	}
	return doc
}

func caseNames(v any) []string {
	var names []string
	for _, name := range v.([]any) {
		names = append(names, name.(string))
	}
	return names
}

// caseValue makes the values of a document of what the decoder made.
func caseValue(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		for i := range v {
			v[i] = caseValue(t, v[i])
		}
	case map[string]any:
		if text, ok := v["$date"].(string); ok && len(v) == 1 {
			when, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			return when
		}
		for key := range v {
			v[key] = caseValue(t, v[key])
		}
	}
	return v
}

// wanted is who should answer, and whether the query should be refused.
func (c *serverCase) wanted() (names []string, refused bool) {
	if c.Recommend != nil {
		return c.Recommend.Expect, c.Recommend.Error
	}
	return c.Expect, c.Error != nil
}

func (c *serverCase) answer(t *testing.T, q *Query) []string {
	t.Helper()
	names := []string{}
	for _, raw := range c.Docs {
		doc := caseDocument(t, raw)
		if Matches(q.Filter, doc, time.Unix(1_700_000_000, 0)) {
			names = append(names, doc.Identity)
		}
	}
	slices.Sort(names)
	return names
}

// checkRefusal holds every refusal to the promise of its type and position.
func checkRefusal(t testing.TB, text string, err error) *SyntaxError {
	t.Helper()
	syn, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		t.Fatalf("%q: refused with %T: %v", text, err, err)
	}
	if syn.Text != text || syn.Offset < 0 || syn.Offset > syn.End || syn.End > len(text) || syn.Problem == "" {
		t.Fatalf("%q: a mistake at %d to %d of %q: %v", text, syn.Offset, syn.End, syn.Text, err)
	}
	return syn
}

func TestMongoCases(t *testing.T) {
	for _, c := range readServerCases(t, "mongo.json") {
		t.Run(c.ID, func(t *testing.T) {
			if c.VersionDependent {
				return
			}
			names, refused := c.wanted()
			q, err := Parse(c.Query, Options{Dialect: "mongo"})
			if refused {
				syn := checkRefusal(t, c.Query, err)
				if c.Error.Offset != nil && syn.Offset != *c.Error.Offset {
					t.Errorf("%s: mistake at %d, want %d: %v", c.Query, syn.Offset, *c.Error.Offset, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.Query, err)
			}
			slices.Sort(names)
			if got := c.answer(t, q); !slices.Equal(got, names) {
				t.Errorf("%s: %s answers %s, want %s", c.Query, Tree(q.Filter), strings.Join(got, " "), strings.Join(names, " "))
			}
		})
	}
}
