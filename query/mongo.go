package query

import (
	"fmt"
	"slices"
	"strings"
)

// parseMongo reads a filter of MongoDB's find, written as JSON, as a
// JavaScript literal or as a Ruby hash. Nothing of it ever reaches a server as
// it was written: what is not on the list of operators is refused.
func (r *reader) parseMongo(text string) (*Query, error) {
	doc, err := readRelaxed(text)
	if err != nil {
		return nil, err
	}
	if doc.kind != relaxedObject {
		return nil, mistake(doc, "a filter is a document", `{field: value}`)
	}
	e, err := (&mongoReader{reader: r}).filter(doc)
	if err != nil {
		return nil, err
	}
	return &Query{Filter: e}, nil
}

// mongoReader turns a relaxed document into a tree.
type mongoReader struct {
	*reader
	inside bool // paths are those of an element of $elemMatch
}

func mistake(v relaxed, problem, want string) *SyntaxError {
	return &SyntaxError{Offset: v.pos, End: v.end, Problem: problem, Want: want}
}

// filter reads a document of fields and logical operators, all of which hold.
func (m *mongoReader) filter(doc relaxed) (Expr, error) {
	parts := make(And, 0, len(doc.fields))
	for _, f := range doc.fields {
		read := m.field
		if strings.HasPrefix(f.key, "$") {
			read = m.logical
		}
		e, err := read(f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	return and(parts...), nil
}

func (m *mongoReader) logical(f relaxedField) (Expr, error) {
	switch f.key {
	case "$and", "$or", "$nor":
	case "$saved":
		if f.value.kind != relaxedString || m.inside {
			return nil, mistake(f.value, "$saved takes the name of a saved query", "$saved: 'name' beside the fields of a node")
		}
		return m.savedFilter(f.value.text, f.value.pos, f.value.end)
	default:
		return nil, unknownOperator(f, []string{"$and", "$or", "$nor", "$saved"})
	}
	if f.value.kind != relaxedArray || len(f.value.items) == 0 {
		return nil, mistake(f.value, f.key+" must be a nonempty array", f.key+": [{…}, {…}]")
	}
	parts := make([]Expr, 0, len(f.value.items))
	for _, item := range f.value.items {
		if item.kind != relaxedObject {
			return nil, mistake(item, f.key+" entries need to be full objects", "a document such as {field: value}")
		}
		e, err := m.filter(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, e)
	}
	switch f.key {
	case "$and":
		return and(parts...), nil
	case "$or":
		return or(parts...), nil
	}
	return not(or(parts...)), nil
}

func (m *mongoReader) field(f relaxedField) (Expr, error) {
	path, err := m.path(f)
	if err != nil {
		return nil, err
	}
	v := f.value
	switch {
	case v.kind == relaxedPattern:
		return m.pattern(path, f, v.text, v.flags)
	case v.kind == relaxedObject && len(v.fields) > 0 && strings.HasPrefix(v.fields[0].key, "$") && !extended(v):
		return m.operators(path, v)
	}
	value, err := m.literal(v, f.key)
	if err != nil {
		return nil, err
	}
	if value.Kind == "regex" {
		return m.compare(path, f, "=~", value)
	}
	return m.compare(path, f, "=", value)
}

// path reads the name of a field. What is below a fact is for the documents to
// know; the first part must be a field that a node has.
func (m *mongoReader) path(f relaxedField) (Path, error) {
	parts := strings.Split(f.key, ".")
	if slices.Contains(parts, "") {
		return Path{}, &SyntaxError{Offset: f.pos, End: f.end, Problem: "a part of the name " + quote(f.key) + " is empty", Want: "a name such as facts.os.name"}
	}
	p := Path{Field: "element"}
	if !m.inside {
		p.Field = mongoFields[parts[0]]
		if p.Field == "" {
			return Path{}, unknownField(f, parts)
		}
		parts = parts[1:]
	}
	for _, part := range parts {
		p.Steps = append(p.Steps, nameStep(part))
	}
	if p.Field == "facts" && len(parts) > 1 {
		p.Flat = strings.Join(parts, ".")
	}
	return p, nil
}

// mongoFields are the top-level names of a node's document, the ancestor's
// among them.
var mongoFields = map[string]string{
	"facts": "facts", "trusted": "trusted",
	"classes": "classes", "agents": "agents", "agentlist": "agents", "collectives": "collectives",
	"identity": "identity", "_id": "identity", "fqdn": "identity",
	"lastseen": "seen", "seen": "seen", "state": "state", "auth": "auth",
}

func unknownField(f relaxedField, parts []string) error {
	known := sortedKeys(mongoFields)
	e := &SyntaxError{Offset: f.pos, End: f.end, Problem: "a node has no field " + quote(parts[0]), Want: "facts." + f.key}
	if near := nearest(parts[0], known); near != "" {
		e.Want = strings.Join(append([]string{near}, parts[1:]...), ".") + ", or facts." + f.key
	}
	e.Hint = "the fields are " + strings.Join(known, ", ")
	return e
}

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
	return m.compare(path, f, op, value)
}

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
		return m.compare(path, f, "in", listValue(nil)) // an empty $all matches nothing
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
	inner := &mongoReader{reader: m.reader, inside: true}
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
