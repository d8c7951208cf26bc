package query

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// literal is a value as it stands: text, a number, a document, a list, a
// regex where one may be, or a parameter.
func (m *mongoReader) literal(v relaxed, owner string) (Value, error) {
	if value, ok, err := m.parameter(v); ok || err != nil {
		return value, err
	}
	switch v.kind {
	case relaxedNull:
		return nullValue(), nil
	case relaxedBool:
		return boolValue(v.value == true), nil
	case relaxedNumber:
		return numberValue(numeral(v.value)), nil
	case relaxedString:
		return textValue(v.text), nil
	case relaxedDate:
		return timeValue(v.value.(time.Time)), nil
	case relaxedPattern:
		return m.regexAt(v, v.text, v.flags)
	case relaxedArray:
		members := make([]Value, 0, len(v.items))
		for _, item := range v.items {
			member, err := m.literal(item, owner)
			if err != nil {
				return Value{}, err
			}
			members = append(members, member)
		}
		return listValue(members), nil
	case relaxedObject:
	}
	if extended(v) {
		return m.extended(v)
	}
	object := make(map[string]Value, len(v.fields))
	for _, f := range v.fields {
		if strings.HasPrefix(f.key, "$") {
			return Value{}, unknownOperator(f, nil)
		}
		value, err := m.literal(f.value, owner)
		if err != nil {
			return Value{}, err
		}
		object[f.key] = value
	}
	return Value{Kind: "object", Object: object}, nil
}

// numeral is a number as the tree keeps it.
func numeral(n any) string {
	switch n := n.(type) {
	case int64:
		return strconv.FormatInt(n, 10)
	case float64:
		return strconv.FormatFloat(n, 'g', -1, 64)
	case json.Number:
		return n.String()
	}
	return ""
}

// parameter is the bound value of $name or ? without quotes, or of {$param: name}.
func (m *mongoReader) parameter(v relaxed) (Value, bool, error) {
	name := v.text
	switch {
	case v.kind == relaxedString && v.bare && (name == "?" || len(name) > 1 && name[0] == '$'):
	case v.kind == relaxedObject && len(v.fields) == 1 && v.fields[0].key == "$param":
		name = "$" + v.fields[0].value.text
	default:
		return Value{}, false, nil
	}
	value, err := m.bound(name, v.pos, v.end)
	return value, true, err
}

// bound is the value given for $name, or for the next ?.
func (r *reader) bound(name string, pos, end int) (Value, error) {
	var given any
	var ok bool
	if name == "?" {
		if ok = r.positional < len(r.Positional); ok {
			given = r.Positional[r.positional]
			r.positional++
		}
	} else {
		given, ok = r.Named[strings.TrimPrefix(name, "$")]
	}
	if !ok {
		return Value{}, &SyntaxError{Offset: pos, End: end, Problem: "no value is given for " + name, Want: "a value for it, or quotes around it if it is text"}
	}
	v, err := valueOf(given)
	if err != nil {
		return Value{}, &SyntaxError{Offset: pos, End: end, Problem: err.Error()}
	}
	return v, nil
}

// extended reports whether v is a value in MongoDB's extended JSON.
func extended(v relaxed) bool {
	return len(v.fields) == 1 && slices.Contains([]string{"$date", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$regularExpression", "$param"}, v.fields[0].key)
}

func (m *mongoReader) extended(v relaxed) (Value, error) {
	f := v.fields[0]
	switch f.key {
	case "$date":
		if f.value.kind == relaxedObject && extended(f.value) {
			ms, err := m.extended(f.value)
			if err != nil {
				return Value{}, err
			}
			n, err := strconv.ParseInt(ms.Text, 10, 64)
			if err != nil {
				return Value{}, mistake(f.value, "this is not a date", "milliseconds since 1970")
			}
			return timeValue(time.UnixMilli(n)), nil
		}
		if ms, ok := f.value.value.(int64); ok {
			return timeValue(time.UnixMilli(ms)), nil
		}
		when, ok := parseTime(f.value.text)
		if f.value.kind != relaxedString || !ok {
			return Value{}, mistake(f.value, "this is not a date", `"2026-11-01T04:26:40Z"`)
		}
		return timeValue(when), nil
	case "$regularExpression":
		return m.extendedRegex(f.value)
	}
	n := f.value.value
	if f.value.kind == relaxedString {
		n, _ = relaxedNumeral(f.value.text)
	}
	text := numeral(n)
	if text == "" {
		return Value{}, mistake(f.value, "this is not a number", `digits such as "42"`)
	}
	return numberValue(text), nil
}

func (m *mongoReader) extendedRegex(v relaxed) (Value, error) {
	var pattern, flags string
	for _, f := range v.fields {
		switch {
		case f.value.kind != relaxedString:
			return Value{}, mistake(f.value, "this is not text", "text")
		case f.key == "pattern":
			pattern = f.value.text
		case f.key == "options":
			flags = f.value.text
		}
	}
	return m.regexAt(v, pattern, flags)
}

// epochs reads numbers compared with the last report as the ancestor stored
// it: seconds since 1970.
func epochs(v Value) Value {
	switch v.Kind {
	case "number":
		if seconds := v.number.float; v.number.small && math.Abs(seconds) < 1e11 {
			return timeValue(time.Unix(int64(seconds), int64((seconds-math.Floor(seconds))*1e9)))
		}
	case "list":
		members := make([]Value, len(v.List))
		for i, member := range v.List {
			members[i] = epochs(member)
		}
		return listValue(members)
	}
	return v
}

func (m *mongoReader) size(path Path, f relaxedField) (Expr, error) {
	n, ok := wholeNumber(f.value)
	switch {
	case !ok:
		return nil, mistake(f.value, "$size must be a whole number", "a length such as 2")
	case n < 0:
		return nil, mistake(f.value, "$size may not be negative", "a length such as 2")
	}
	return m.compare(path, f, "size", numberValue(strconv.FormatInt(n, 10)))
}

func wholeNumber(v relaxed) (int64, bool) {
	switch n := v.value.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	}
	return 0, false
}

func (m *mongoReader) mod(path Path, f relaxedField) (Expr, error) {
	items := f.value.items
	switch {
	case f.value.kind != relaxedArray:
		return nil, mistake(f.value, "malformed mod, needs to be an array", "$mod: [divisor, remainder]")
	case len(items) < 2:
		return nil, mistake(f.value, "malformed mod, not enough elements", "$mod: [divisor, remainder]")
	case len(items) > 2:
		return nil, mistake(f.value, "malformed mod, too many elements", "$mod: [divisor, remainder]")
	}
	parts := make([]Value, 2)
	for i, item := range items {
		n, ok := item.value.(int64)
		if x, isFloat := item.value.(float64); isFloat && math.Abs(x) < 1<<53 {
			n, ok = int64(x), true
		}
		switch {
		case !ok || n > 1<<53 || n < -1<<53:
			return nil, mistake(item, "malformed mod, this is not a number", "a number")
		case i == 0 && n == 0:
			return nil, mistake(item, "divisor cannot be 0", "another number")
		}
		parts[i] = numberValue(strconv.FormatInt(n, 10))
	}
	return m.compare(path, f, "mod", listValue(parts))
}

// mongoTypes are the BSON types by number, empty where facts have no values of
// it that anyone could name.
var mongoTypes = map[string]int64{
	"double": 1, "string": 2, "object": 3, "array": 4, "binData": 5, "undefined": 6, "objectId": 7, "bool": 8, "date": 9, "null": 10,
	"regex": 11, "dbPointer": 12, "javascript": 13, "symbol": 14, "javascriptWithScope": 15, "int": 16, "timestamp": 17, "long": 18,
	"decimal": 19, "minKey": -1, "maxKey": 127, "number": math.MinInt64,
}

func (m *mongoReader) types(path Path, f relaxedField) (Expr, error) {
	items := f.value.items
	if f.value.kind != relaxedArray {
		items = []relaxed{f.value}
	} else if len(items) == 0 {
		return nil, mistake(f.value, "$type must match at least one type", `a type such as "string"`)
	}
	names := make([]Value, 0, len(items))
	for _, item := range items {
		name, err := typeName(item)
		if err != nil {
			return nil, err
		}
		names = append(names, textValue(name))
	}
	return m.compare(path, f, "type", listValue(names))
}

func typeName(v relaxed) (string, error) {
	if v.kind == relaxedString {
		if _, known := mongoTypes[v.text]; known {
			return v.text, nil
		}
		e := mistake(v, "Unknown type name alias: "+v.text, "a type such as string, number, bool, array, object, date or null")
		if near := nearest(v.text, sortedKeys(mongoTypes)); near != "" {
			e.Want = near
		}
		return "", e
	}
	n, ok := wholeNumber(v)
	if v.kind != relaxedNumber {
		return "", mistake(v, "type must be represented as a number or a string", `a type such as "string"`)
	}
	for name, number := range mongoTypes {
		if ok && number == n && name != "number" {
			return name, nil
		}
	}
	return "", mistake(v, "Invalid numerical type code: "+numeral(v.value), `a type such as "string"`)
}

// refusedOperators are MongoDB's that we do not have, with the reason where a
// user could have counted on one.
var refusedOperators = map[string]string{
	"$where":      "it runs code",
	"$function":   "it runs code",
	"$expr":       "write the comparison on the field itself",
	"$text":       "it needs a text index; use a regex",
	"$jsonSchema": "use $type and $exists on the fields",
}

// unknownOperator names the nearest of known.
func unknownOperator(f relaxedField, known []string) error {
	e := &SyntaxError{Offset: f.pos, End: f.end, Problem: "unknown operator " + f.key}
	if reason, ok := refusedOperators[f.key]; ok {
		e.Problem, e.Hint = f.key+" is not offered", reason
		return e
	}
	_, onFields := mongoOperators[f.key]
	switch near := nearest(f.key, known); {
	case known == nil:
		e.Problem = "the operator " + f.key + " cannot stand inside a value"
		e.Want = "plain fields"
	case onFields:
		e.Problem, e.Want = f.key+" stands on no field", "field: {"+f.key+": …}"
	case slices.Contains([]string{"$and", "$or", "$nor"}, f.key):
		e.Problem, e.Want = f.key+" stands on a field", f.key+": [{field: …}, …] beside the fields"
	case near != "":
		e.Want = near
	default:
		e.Want = "one of " + strings.Join(known, ", ")
	}
	return e
}

// within0 keeps the position of a mistake inside the value v, whose text may
// be shorter than what was written for it.
func within0(err error, v relaxed) error {
	if syn, ok := errors.AsType[*SyntaxError](err); ok {
		syn.Offset = min(syn.Offset, max(v.pos, v.end-1))
		syn.End = min(max(syn.End, syn.Offset), v.end)
	}
	return err
}
