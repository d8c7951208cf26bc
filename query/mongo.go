package query

import (
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
	q := &Query{}
	q.Filter, err = (&mongoReader{reader: r, query: q}).filter(doc)
	if err != nil {
		return nil, err
	}
	return q, nil
}

// mongoReader turns a relaxed document into a tree.
type mongoReader struct {
	*reader
	query  *Query // takes the warnings
	inside bool   // paths are those of an element of $elemMatch
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
