package index_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"muster/query"
)

// dice makes random fleets and random questions about them, from few names
// and values, so that they meet.
type dice struct{ *rand.Rand }

func rolled(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 11))} }

func one[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func (d dice) document(i int) *query.Document {
	doc := &query.Document{
		Identity: fmt.Sprintf("%s%d.Example", one(d, "web", "db", "wëb"), i),
		Facts:    map[string]any{},
		State:    one(d, "active", "stale", "deactivated"), Auth: one(d, "cert", "psk", ""),
		Classes: d.some("mysql::master", "Mysql::Master", "::web", "apache", "nginx", "K", "4", "4.0"),
		Agents:  d.some("puppet", "rpcutil", "mcollective"), Collectives: d.some("mcollective", "eu"),
		Seen: one(d, time.Time{}, noon.Add(-time.Duration(d.IntN(5))*time.Hour), noon.Add(-time.Duration(d.IntN(500))*time.Hour)),
	}
	for range d.IntN(6) {
		doc.Facts[one(d, "a", "b", "c", "a.b", "b.c", "v")] = d.value(3)
	}
	if d.IntN(2) == 0 {
		doc.Trusted = map[string]any{one(d, "role", "a"): d.value(1)}
	}
	if d.IntN(4) == 0 {
		doc.Extra = map[string]any{"f": map[string]any{"x": d.value(1)}}
	}
	return doc
}

func (d dice) some(of ...string) []string {
	var out []string
	for _, name := range of {
		if d.IntN(3) == 0 {
			out = append(out, name)
		}
	}
	return out
}

var longWords = []string{
	"w" + strings.Repeat("x", 5000), strings.Repeat("7", 5000), "w" + strings.Repeat("x", 5000) + "y",
	"2026-01-02T00:00:00." + strings.Repeat("0", 5000) + "Z",
}

func (d dice) word() string {
	if d.IntN(60) == 0 {
		return one(d, longWords...)
	}
	return one(d, "x", "y", "web", "web\n1", "w.web", "Web", "4", "4.0", "04", "5", "true", "", "W\xc3\xabb 'q'", "2026-01-02T00:00:00Z", "10.0.0.7", "10.0.0.7/24",
		"1.2.3", "1.10.3", "1e3", "-1", "\u212a", "k")
}

func (d dice) scalar() any {
	switch d.IntN(9) {
	case 0, 1, 2, 3:
		return d.word()
	case 4:
		return int64(d.IntN(8) - 2)
	case 5:
		return one[any](d, int64(math.MaxInt64), int64(1<<53), int64(1<<53+1), json.Number("18446744073709551616"), json.Number("4.00"))
	case 6:
		return one(d, 4.0, 0.5, -1.5, 1e20, float64(d.IntN(4)))
	case 7:
		return one[any](d, true, false, nil)
	}
	return time.Date(2026, 1, d.IntN(3)+1, 0, 0, 0, 0, time.UTC)
}

func (d dice) value(depth int) any {
	switch n := d.IntN(12); {
	case depth == 0 || n < 6:
		return d.scalar()
	case n < 9:
		list := []any{}
		for range d.IntN(4) {
			list = append(list, d.value(depth-1))
		}
		return list
	default:
		m := map[string]any{}
		for range d.IntN(4) {
			m[one(d, "a", "b", "c", "1", "web")] = d.value(depth - 1)
		}
		return m
	}
}

// operand is a value as a front end makes it.
func (d dice) operand() query.Value {
	var v any
	switch d.IntN(14) {
	case 0:
		return query.Value{Kind: "glob", Text: one(d, "w*", "?", "*", "4*", "W*B")}
	case 1, 2, 3:
		re := one(d, "^w", "b$", "4", "k|w", "(?i)WEB", "^web$", "w.*b", "^w.*1$", "x+$", "(?s)w.*1", "e", "^.*b", "b.*$", "^4", "(?m)^1",
			"w[a-f]b", "[a-z]eb", "^[^0-9]eb", "(w)[e]b$", "[0-9]\\.[0-9]", "w[eë]b.*[0-9]", "^[wd][eb]+", "b[0-9]{2}\\.Ex.*[k-m]e$")
		return query.Value{Kind: "regex", Text: re, Regexp: regexp.MustCompile(re)}
	case 4:
		return query.Value{Kind: "network", Network: netip.MustParsePrefix("10.0.0.0/24")}
	case 5:
		return query.Value{Kind: "age", Age: time.Duration(d.IntN(4)) * time.Hour}
	case 6:
		return query.Value{Kind: "time", Time: time.Date(2026, 1, d.IntN(5)+1, 0, 0, 0, 0, time.UTC)}
	case 7:
		v = d.value(2)
	default:
		v = d.scalar()
	}
	return values(v)[0]
}

// values are what documents hold as the right side of comparisons.
func values(held ...any) []query.Value {
	c := (&query.Subquery{}).Resolve(held).(*query.Compare)
	return c.Value.List
}

func (d dice) path() query.Path {
	p := query.Path{Field: one(d, "facts", "facts", "facts", "facts", "trusted", "live")}
	if p.Field == "facts" && d.IntN(20) == 0 {
		return p
	}
	for range d.IntN(4) + 1 {
		switch n := d.IntN(14); {
		case n < 10:
			p.Steps = append(p.Steps, query.Step{Kind: "name", Key: one(d, "a", "b", "c", "web", "role", "f", "x"), Pos: -1})
		case n == 10:
			at := d.IntN(2)
			p.Steps = append(p.Steps, query.Step{Kind: one(d, "index", "name"), Key: fmt.Sprint(at), Pos: at})
		case n == 11:
			p.Steps = append(p.Steps, query.Step{Kind: "keys", Pos: -1})
		case n == 12:
			p.Steps = append(p.Steps, query.Step{Kind: "any", Pos: -1})
		default:
			p.Steps = append(p.Steps, query.Step{Kind: "deep", Pos: -1})
		}
	}
	if d.IntN(3) == 0 {
		var keys []string
		for _, s := range p.Steps {
			keys = append(keys, s.Key)
		}
		p.Flat = strings.Join(keys, ".")
	}
	return p
}

func (d dice) compare(p query.Path) *query.Compare {
	c := &query.Compare{
		Path: p, Op: one(d, "=", "=", "=", "!=", "<", "<=", ">", ">=", "=~", "!~", "in", "not in", "between", "exists"),
		Quant: one(d, "any", "any", "all", "none", "self"), Absent: d.IntN(3) == 0, Fold: d.IntN(6) == 0, Count: d.IntN(12) == 0,
		View: one(d, "native", "native", "text", "typed", "mongo", "mongo", "version"),
	}
	switch p.Field {
	case "classes":
		c.View = one(d, "class", "title", "mongo", "native")
	case "agents":
		c.View = one(d, "agent", "native", "mongo")
	case "identity":
		c.View = one(d, "host", "host", "native", "mongo")
	}
	switch c.Op {
	case "=~", "!~":
		for c.Value.Kind != "regex" {
			c.Value = d.operand()
		}
	case "between":
		c.Value = query.Value{Kind: "list", List: []query.Value{d.operand(), d.operand()}}
	case "in", "not in":
		held := make([]any, d.IntN(10))
		for i := range held {
			held[i] = d.scalar()
			if p.Field == "identity" && d.IntN(2) == 0 {
				held[i] = fmt.Sprintf("WEB%d.example", d.IntN(30))
			}
		}
		c.Value = (&query.Subquery{}).Resolve(held).(*query.Compare).Value
	default:
		c.Value = d.operand()
	}
	if c.Count {
		c.Op, c.Value = one(d, "=", ">", "<=", "!="), values(int64(d.IntN(4)))[0]
	}
	if c.View == "mongo" {
		c.Count = false
		for i, s := range p.Steps {
			if s.Kind != "name" { // the server knows no other steps
				p.Steps[i] = query.Step{Kind: "name", Key: "a", Pos: -1}
			}
		}
		switch d.IntN(8) {
		case 0:
			c.Op, c.Value = "type", query.Value{List: values(one(d, "string", "number", "null", "array", "object", "int"))}
		case 1:
			c.Op, c.Value = "size", values(int64(d.IntN(3)))[0]
		case 2:
			c.Op, c.Value = "mod", query.Value{List: values(int64(4), int64(0))}
		}
	}
	return c
}

// element is a condition on the elements of a list or map.
func (d dice) element(depth int, view string) query.Expr {
	switch n := d.IntN(6); {
	case depth > 0 && n == 0:
		return query.And{d.element(depth-1, view), d.element(depth-1, view)}
	case depth > 0 && n == 1:
		return query.Or{d.element(depth-1, view), d.element(depth-1, view)}
	case depth > 0 && n == 2:
		return query.Not{Expr: d.element(depth-1, view)}
	}
	p := query.Path{Field: "element"}
	if view == "native" && d.IntN(4) == 0 {
		p.Field = "key"
	} else {
		for range d.IntN(3) {
			p.Steps = append(p.Steps, query.Step{Kind: "name", Key: one(d, "a", "b", "1"), Pos: -1})
		}
	}
	c := d.compare(p)
	if view == "native" && c.View == "mongo" {
		c.View, c.Op, c.Value = "native", "=", d.operand()
	} else if view == "mongo" {
		c.View, c.Op, c.Count, c.Value = "mongo", "=", false, values(d.scalar())[0]
	}
	return c
}

func (d dice) expr(depth int) query.Expr {
	n := d.IntN(16)
	if depth == 0 {
		n += 4
	}
	switch n {
	case 0, 1:
		return query.And{d.expr(depth - 1), d.expr(depth - 1), d.expr(depth - 1)}
	case 2:
		return query.Or{d.expr(depth - 1), d.expr(depth - 1)}
	case 3:
		return query.Not{Expr: d.expr(depth - 1)}
	case 4:
		return d.compare(query.Path{Field: one(d, "classes", "classes", "agents", "collectives")})
	case 5:
		return d.compare(query.Path{Field: one(d, "identity", "identity", "state", "auth", "fact")})
	case 6:
		c := d.compare(query.Path{Field: "seen"})
		if d.IntN(2) == 0 {
			c.Count, c.Op, c.Value = false, one(d, "<", "<=", ">", ">="), query.Value{Kind: "age", Age: time.Duration(d.IntN(4)) * time.Hour}
		}
		return c
	case 7:
		h := &query.Has{Path: d.path(), Quant: one(d, "any", "all", "none"), View: one(d, "native", "native", "mongo")}
		if d.IntN(6) == 0 {
			h.Path = query.Path{Field: one(d, "classes", "contents", "facts")}
		}
		if h.View == "mongo" {
			h.Path.Steps = []query.Step{{Kind: "name", Key: one(d, "a", "b"), Pos: -1}}
		}
		h.Expr = d.element(2, h.View)
		if d.IntN(20) == 0 {
			h.Expr = query.And{h.Expr, d.compare(d.path())}
		}
		return h
	case 8:
		return query.All{}
	}
	return d.compare(d.path())
}
