package query

import "strings"

// Filters are the filters of a command line or a request. All given must hold;
// of several identities one is enough. The zero value is every node.
type Filters struct {
	With, Select                 []string // texts of those dialects
	Fact, Class, Agent, Identity []string // name=value; names or /patterns/

	Query   string // further text, in Dialect
	Dialect Dialect

	Named      map[string]any // as in Options, for all of the texts
	Positional []any
	Saved      map[string]string
	Live       bool
}

// Empty reports whether nothing is asked for, which means every node.
func (f Filters) Empty() bool {
	return f.Query == "" && len(f.With)+len(f.Select)+len(f.Fact)+len(f.Class)+len(f.Agent)+len(f.Identity) == 0
}

// Parse reads all filters into one query. Clauses such as limit are those of
// Query. An error is a *[SyntaxError] about the text with the mistake.
func (f Filters) Parse() (*Query, error) {
	r := &reader{Options: Options{Named: f.Named, Positional: f.Positional, Saved: f.Saved, Live: f.Live}}
	joined := &Query{Filter: All{}, Dialect: dialectNative}
	if f.Query != "" {
		r.Dialect = f.Dialect
		q, err := r.parse(f.Query)
		if err != nil {
			return nil, err
		}
		joined = q
	}
	parts := []Expr{joined.Filter}
	for _, texts := range []struct {
		dialect Dialect
		list    []string
	}{{dialectSelect, f.Select}, {dialectWith, f.With}} {
		for _, text := range texts.list {
			r.Dialect = texts.dialect
			q, err := r.parse(text)
			if err != nil {
				return nil, err
			}
			parts = append(parts, q.Filter)
			joined.Warnings = append(joined.Warnings, q.Warnings...)
		}
	}
	for _, given := range []struct {
		flag Dialect
		list []string
	}{{"fact", f.Fact}, {"class", f.Class}, {"agent", f.Agent}} {
		for _, text := range given.list {
			e, err := r.flag(given.flag, text)
			if err != nil {
				return nil, err
			}
			parts = append(parts, e)
		}
	}
	var identities []Expr
	for _, text := range f.Identity {
		e, err := r.flag("identity", text)
		if err != nil {
			return nil, err
		}
		identities = append(identities, e)
	}
	if len(identities) > 0 {
		parts = append(parts, or(identities...))
	}
	joined.Filter = and(parts...)
	return joined, nil
}

// flag reads the value of one of -F, -C, -A and -I.
func (r *reader) flag(flag Dialect, text string) (Expr, error) {
	var e Expr
	err := tooLong(flag, text)
	if err == nil {
		err = cleanText(flag, text)
	}
	if err == nil {
		l := &lowerer{reader: r, text: text, strict: true, onlyFacts: true}
		if flag == "fact" {
			e, err = l.factFlag()
		} else {
			field := map[Dialect]string{"class": "classes", "agent": "agents", "identity": "identity"}[flag]
			e, err = l.name(field, text, 0)
		}
	}
	if err != nil {
		return nil, finish(tag(err, flag), text)
	}
	return e, nil
}

// factFlag reads name, operator and value, with or without blanks around the
// operator. The first operator counts: in a=b=c the value is b=c.
func (l *lowerer) factFlag() (Expr, error) {
	text := l.text
	start := skipBlanks(text, 0)
	n, problem := operandLength(text[start:])
	i := skipBlanks(text, start+n)
	op := operatorAt(text[i:])
	switch {
	case n == 0 || text[start] == '/' || problem != "" || strings.IndexByte("=<>!", text[start]) >= 0:
		return nil, l.fail(start, len(text), "the name of the fact is missing", "a comparison such as fact=value")
	case op == "":
		return nil, l.fail(i, len(text), "this is not a comparison", "a comparison such as fact=value")
	}
	from := skipBlanks(text, i+len(op))
	return l.fact(text[start:start+n], op, strings.TrimRight(text[from:], blanks), start, from)
}
