package query

import (
	"fmt"
	"slices"
	"strings"
)

// operators reads {$op: value, …}, all of which hold.
func (m *mongoReader) operators(path Path, doc relaxed) (Expr, error) {
	parts := make(And, 0, len(doc.fields))
	for i, f := range doc.fields {
		if !strings.HasPrefix(f.key, "$") {
			return nil, &SyntaxError{Offset: f.pos, End: f.end, Problem: "operators and fields cannot be mixed in one document",
				Want: "an operator such as $eq", Hint: "a field of a document is written facts.a.b: {…}"}
		}
		if f.key == "$options" {
			if slices.ContainsFunc(doc.fields, func(g relaxedField) bool { return g.key == "$regex" }) {
				continue
			}
			return nil, &SyntaxError{Offset: f.pos, End: f.end, Problem: "$options needs a $regex", Want: "$regex beside it"}
		}
		e, err := m.operator(path, doc, i)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	return and(parts...), nil
}

// mongoOperators are all that may stand on a field, with what they are in the tree.
var mongoOperators = map[string]string{
	"$eq": "=", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=", "$in": "in", "$nin": "not in",
	"$exists": "exists", "$regex": "=~", "$options": "", "$not": "", "$all": "", "$elemMatch": "", "$size": "size", "$type": "type", "$mod": "mod",
}

func (m *mongoReader) operator(path Path, doc relaxed, i int) (Expr, error) {
	f := doc.fields[i]
	op, known := mongoOperators[f.key]
	if !known {
		return nil, unknownOperator(f, sortedKeys(mongoOperators))
	}
	switch f.key {
	case "$in", "$nin":
		return m.in(path, f, op)
	case "$exists":
		e, err := m.compare(path, f, "exists", Value{})
		if err == nil && !truth(f.value) {
			e = not(e)
		}
		return e, err
	case "$regex":
		return m.regexOperator(path, doc, f)
	case "$not":
		return m.not(path, f)
	case "$all":
		return m.all(path, f)
	case "$elemMatch":
		return m.elemMatch(path, f)
	case "$size":
		return m.size(path, f)
	case "$type":
		return m.types(path, f)
	case "$mod":
		return m.mod(path, f)
	}
	if f.value.kind == relaxedPattern && op != "=" {
		return nil, mistake(f.value, "Can't have regex as arg to "+f.key, "a plain value; {$not: /…/} is the negation of a regex")
	}
	value, err := m.literal(f.value, f.key)
	if err != nil {
		return nil, err
	}
	if value.Kind == "regex" {
		m.warn(f.key + " compares with the pattern itself, which is always false; without " + f.key + " it is searched for")
	}
	return m.compare(path, f, op, value)
}

func (m *mongoReader) warn(text string) { m.query.Warnings = append(m.query.Warnings, text) }

// compare is one comparison under the server's rules.
func (m *mongoReader) compare(path Path, f relaxedField, op string, value Value) (Expr, error) {
	if m.clauses++; m.clauses > maxClauses {
		return nil, &SyntaxError{Offset: f.pos, End: f.value.end, Problem: fmt.Sprintf("there are more than %d conditions", maxClauses), Want: "$in with a list, or a parameter"}
	}
	if path.Field == "seen" {
		value = epochs(value)
	}
	c := &Compare{Path: path, Op: op, Value: value, Quant: "any", View: "mongo", Start: f.pos, End: f.value.end}
	if op == "!=" || op == "not in" {
		c.Quant, c.Absent = "all", true
	}
	return c, nil
}

// truth is what $exists makes of a value: all but false, 0 and null is true.
func truth(v relaxed) bool {
	return v.kind != relaxedNull && v.value != false && v.value != int64(0) && v.value != 0.0
}

// in reads the list of $in; regexes may be among its members, operators not.
func (m *mongoReader) in(path Path, f relaxedField, op string) (Expr, error) {
	if value, ok, err := m.parameter(f.value); ok || err != nil {
		if err == nil && value.Kind != "list" {
			err = mistake(f.value, f.key+" needs an array", "a parameter that is a list")
		}
		if err != nil {
			return nil, err
		}
		return m.compare(path, f, op, value)
	}
	members, err := m.members(f)
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		m.warn(f.key + " of nothing is always " + map[string]string{"in": "false", "not in": "true"}[op])
	}
	return m.compare(path, f, op, listValue(members))
}

func (m *mongoReader) members(f relaxedField) ([]Value, error) {
	if f.value.kind != relaxedArray {
		return nil, mistake(f.value, f.key+" needs an array", f.key+": […]")
	}
	members := make([]Value, 0, len(f.value.items))
	for i, item := range f.value.items {
		if i == maxList {
			return nil, mistake(item, fmt.Sprintf("the list has more than %d members", maxList), "a parameter for a long list")
		}
		if item.kind == relaxedObject && len(item.fields) > 0 && strings.HasPrefix(item.fields[0].key, "$") && !extended(item) {
			return nil, mistake(item, "cannot nest $ under "+f.key, "plain values and regexes")
		}
		v, err := m.literal(item, f.key)
		if err != nil {
			return nil, err
		}
		members = append(members, v)
	}
	return members, nil
}

// regexOperator reads $regex with its $options.
func (m *mongoReader) regexOperator(path Path, doc relaxed, f relaxedField) (Expr, error) {
	v, flags := f.value, f.value.flags
	if v.kind != relaxedPattern && v.kind != relaxedString {
		return nil, mistake(v, "$regex has to be a string", "the pattern as text or between slashes")
	}
	for _, o := range doc.fields {
		if o.key != "$options" {
			continue
		}
		if o.value.kind != relaxedString {
			return nil, mistake(o.value, "$options has to be a string", "flags such as 'i'")
		}
		if flags != "" {
			return nil, mistake(o.value, "options set in both $regex and $options", "one of both")
		}
		if bad := strings.Trim(o.value.text, "imsxu"); bad != "" {
			return nil, mistake(o.value, "invalid flag in regex options: "+bad, "flags of i, m, s and x")
		}
		flags = o.value.text
	}
	return m.pattern(path, f, v.text, flags)
}

func (m *mongoReader) pattern(path Path, f relaxedField, pattern, flags string) (Expr, error) {
	value, err := m.regexAt(f.value, pattern, flags)
	if err != nil {
		return nil, err
	}
	return m.compare(path, f, "=~", value)
}

// regexAt compiles a pattern that stands where v does. The server's flag u
// says nothing: text is Unicode.
func (m *mongoReader) regexAt(v relaxed, pattern, flags string) (Value, error) {
	if bad := strings.Trim(flags, "imsxu"); bad != "" {
		return Value{}, mistake(v, "invalid flag in regex options: "+bad, "flags of i, m, s and x; quote it if it is a path")
	}
	value, err := m.regex(pattern, strings.ReplaceAll(flags, "u", ""), v.pos+1)
	return value, within0(err, v)
}

func (m *mongoReader) not(path Path, f relaxedField) (Expr, error) {
	v := f.value
	switch {
	case v.kind == relaxedPattern:
		e, err := m.pattern(path, f, v.text, v.flags)
		return not(e), err
	case v.kind != relaxedObject:
		return nil, mistake(v, "$not needs a regex or a document", "{$not: {$eq: …}}; $ne compares with a value")
	case len(v.fields) == 0:
		return nil, mistake(v, "$not cannot be empty", "an operator in it")
	}
	e, err := m.operators(path, v)
	return not(e), err
}

// all is every member by itself, each of which an element may satisfy.
func (m *mongoReader) all(path Path, f relaxedField) (Expr, error) {
	v := f.value
	if v.kind == relaxedArray && len(v.items) > 0 && isElemMatch(v.items[0]) {
		parts := make(And, 0, len(v.items))
		for _, item := range v.items {
			if !isElemMatch(item) {
				return nil, mistake(item, "$all takes only $elemMatch once it has one", "{$elemMatch: {…}}")
			}
			e, err := m.elemMatch(path, item.fields[0])
			if err != nil {
				return nil, err
			}
			parts = append(parts, e)
		}
		return and(parts...), nil
	}
	if value, ok, err := m.parameter(v); err != nil || ok && value.Kind == "list" {
		if err != nil {
			return nil, err
		}
		return m.allOf(path, f, value.List)
	}
	for _, item := range v.items {
		if item.kind == relaxedObject && len(item.fields) > 0 && strings.HasPrefix(item.fields[0].key, "$") && !extended(item) {
			return nil, mistake(item, "no $ expressions in $all", "plain values, regexes, or $elemMatch alone")
		}
	}
	members, err := m.members(f)
	if err != nil {
		return nil, err
	}
	return m.allOf(path, f, members)
}

func (m *mongoReader) allOf(path Path, f relaxedField, members []Value) (Expr, error) {
	if len(members) == 0 {
		m.warn("$all of nothing is always false")
		return m.compare(path, f, "in", listValue(nil))
	}
	parts := make(And, 0, len(members))
	for _, member := range members {
		op := "="
		if member.Kind == "regex" {
			op = "=~"
		}
		e, err := m.compare(path, f, op, member)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	return and(parts...), nil
}

func isElemMatch(v relaxed) bool {
	return v.kind == relaxedObject && len(v.fields) == 1 && v.fields[0].key == "$elemMatch"
}

// elemMatch is about one element: as a value if it begins with an operator on
// values, else by its fields.
func (m *mongoReader) elemMatch(path Path, f relaxedField) (Expr, error) {
	v := f.value
	if v.kind != relaxedObject {
		return nil, mistake(v, "$elemMatch needs a document", "{$elemMatch: {…}}")
	}
	inner := &mongoReader{reader: m.reader, query: m.query, inside: true}
	var e Expr
	var err error
	if len(v.fields) > 0 && strings.HasPrefix(v.fields[0].key, "$") && !slices.Contains([]string{"$and", "$or", "$nor"}, v.fields[0].key) {
		e, err = inner.operators(Path{Field: "element"}, v)
	} else {
		e, err = inner.filter(v)
	}
	if err != nil {
		return nil, err
	}
	if m.clauses++; m.clauses > maxClauses {
		return nil, mistake(v, fmt.Sprintf("there are more than %d conditions", maxClauses), "fewer")
	}
	return &Has{Path: path, Quant: "any", Expr: e, View: "mongo", Start: f.pos, End: v.end}, nil
}
