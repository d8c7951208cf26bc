package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// parseAST reads PuppetDB's queries in their JSON form. A condition without
// "from" is one on the inventory.
func (r *reader) parseAST(text string) (*Query, error) {
	q := &pdbQuery{entity: r.Entity}
	if r.Entity != "" && strings.Trim(text, blanks) == "" {
		if err := r.asked(q); err != nil {
			return nil, err
		}
		return r.lowerPDB(q)
	}
	v, err := readRelaxed(text)
	if err != nil {
		return nil, err
	}
	if err := strictJSON(v, text); err != nil {
		return nil, err
	}
	a := &astReader{reader: r}
	q.pos, q.end = v.pos, v.pos+1
	if r.Entity == "" && !r.Whole {
		q.entity = "inventory"
	}
	switch op, args, err := a.call(v); {
	case err != nil:
		return nil, err
	case op.text == "from" && r.Entity == "":
		q, err = a.from(v, args)
		if err != nil {
			return nil, err
		}
	case q.entity == "":
		return nil, mistake(op, "the query does not say what it is about", `["from", "nodes", …]`)
	default:
		if err := a.part(v, q); err != nil {
			return nil, err
		}
	}
	if err := r.asked(q); err != nil {
		return nil, err
	}
	return r.lowerPDB(q)
}

// strictJSON refuses what the reader of relaxed documents takes beyond JSON,
// but for parameters.
func strictJSON(v relaxed, text string) error {
	switch {
	case v.kind == relaxedString && v.bare && (v.text == "?" || strings.HasPrefix(v.text, "$")):
	case v.kind == relaxedObject:
		return mistake(v, "a query in AST holds no documents", "an array such as [\"=\", \"certname\", \"web1\"]")
	case v.kind == relaxedString && text[v.pos] != '"':
		return mistake(v, "text stands in double quotes here", `"`+v.text+`"`)
	case v.kind == relaxedPattern, v.kind == relaxedDate, v.kind == relaxedNull && text[v.pos:v.end] != "null":
		return mistake(v, "this is not JSON", "text in double quotes")
	}
	for _, item := range v.items {
		if err := strictJSON(item, text); err != nil {
			return err
		}
	}
	return nil
}

// astReader turns arrays into a query to PuppetDB.
type astReader struct{ *reader }

// call splits an array into its operator and the rest.
func (a *astReader) call(v relaxed) (op relaxed, args []relaxed, err error) {
	if v.kind != relaxedArray || len(v.items) == 0 || v.items[0].kind != relaxedString {
		return op, nil, mistake(v, "this is not an operator with its operands", `an array such as ["=", "certname", "web1"]`)
	}
	return v.items[0], v.items[1:], nil
}

func (a *astReader) from(v relaxed, args []relaxed) (*pdbQuery, error) {
	if len(args) == 0 || args[0].kind != relaxedString {
		return nil, mistake(v, "from names no entity", `["from", "inventory", …]`)
	}
	q := &pdbQuery{entity: args[0].text, pos: args[0].pos, end: args[0].end}
	for _, arg := range args[1:] {
		if err := a.part(arg, q); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// part reads one operand of "from": an extract, a clause or the condition.
func (a *astReader) part(v relaxed, q *pdbQuery) error {
	op, args, err := a.call(v)
	if err != nil {
		return err
	}
	switch op.text {
	case "extract":
		return a.extract(v, args, q)
	case "order_by", "group_by":
		return a.fields(op.text, v, args, q)
	case "limit", "offset":
		n, ok := int64(0), false
		if len(args) == 1 {
			n, ok = wholeNumber(args[0])
		}
		if !ok || n < 0 || n > math.MaxInt32 {
			return mistake(v, op.text+" takes a number of rows", `["`+op.text+`", 10]`)
		}
		if rows := int(n); op.text == "limit" {
			q.limit = &rows
		} else {
			q.offset = rows
		}
		return nil
	}
	if q.where != nil {
		return mistake(v, "there is a condition already", `one condition; ["and", …] joins several`)
	}
	q.where, err = a.condition(v)
	return err
}

func (a *astReader) extract(v relaxed, args []relaxed, q *pdbQuery) error {
	if len(args) == 0 || q.columns != nil {
		return mistake(v, "extract takes the fields to show and a condition", `["extract", ["certname"], …]`)
	}
	names := args[0].items
	if args[0].kind != relaxedArray && args[0].kind != relaxedString {
		return mistake(args[0], "these are no fields", `["certname"]`)
	}
	if args[0].kind == relaxedString || len(names) > 0 && names[0].text == "function" {
		names = []relaxed{args[0]}
	}
	q.columns = []pdbColumn{}
	for _, name := range names {
		c, err := a.column(name)
		if err != nil {
			return err
		}
		q.columns = append(q.columns, c)
	}
	for _, arg := range args[1:] {
		if err := a.part(arg, q); err != nil {
			return err
		}
	}
	return nil
}

// fields reads order_by and group_by.
func (a *astReader) fields(clause string, v relaxed, args []relaxed, q *pdbQuery) error {
	if clause == "order_by" && len(args) == 1 && args[0].kind == relaxedArray {
		args = args[0].items
	}
	if len(args) == 0 {
		return mistake(v, clause+" names no field", `["`+clause+`", ["certname"]]`)
	}
	for _, arg := range args {
		direction := ""
		if items := arg.items; clause == "order_by" && len(items) == 2 && items[0].text != "function" {
			arg, direction = items[0], items[1].text
			if direction != "asc" && direction != "desc" {
				return mistake(items[1], "this is no direction", `"asc" or "desc"`)
			}
		}
		c, err := a.column(arg)
		if err != nil {
			return err
		}
		c.desc = direction == "desc"
		if clause == "order_by" {
			q.order = append(q.order, c)
		} else {
			q.group = append(q.group, c)
		}
	}
	return nil
}

func (a *astReader) column(v relaxed) (pdbColumn, error) {
	if v.kind != relaxedArray || len(v.items) == 0 || v.items[0].text != "function" {
		f, err := a.field(v)
		return pdbColumn{field: f}, err
	}
	if len(v.items) < 2 || v.items[1].kind != relaxedString {
		return pdbColumn{}, mistake(v, "function names no function", `["function", "count"]`)
	}
	name := v.items[1]
	c := pdbColumn{fn: name.text}
	if err := checkFunction(name.text, len(v.items)-2, name.pos, name.end); err != nil {
		return c, err
	}
	var err error
	if len(v.items) == 3 {
		c.field, err = a.field(v.items[2])
	}
	return c, err
}

// field reads a name, or one of the older tuples of a kind and a name.
func (a *astReader) field(v relaxed) (pdbField, error) {
	if v.kind == relaxedString && v.text != "" && fieldLength(v.text) == len(v.text) {
		f := splitField(v.text, v.pos)
		f.end = v.end
		return f, nil
	}
	if len(v.items) == 2 && v.items[0].kind == relaxedString && v.items[1].kind == relaxedString {
		kind, name := v.items[0].text, v.items[1].text
		switch {
		case kind == "fact":
			return pdbField{text: "facts." + name, steps: []Step{nameStep("fact tuple"), nameStep(name)}, pos: v.pos, end: v.end}, nil
		case kind == "node" && name == "active":
			return pdbField{text: "active", steps: []Step{nameStep("node active")}, pos: v.pos, end: v.end}, nil
		}
	}
	return pdbField{}, mistake(v, "this is not a field", `a name such as "facts.os.name"`)
}

// astArguments is how many operands an operator takes; -1 is one or more.
var astArguments = map[string]int{
	"and": -1, "or": -1, "not": 1, "=": 2, "!=": 2, "<": 2, "<=": 2, ">": 2, ">=": 2, "~": 2, "!~": 2, "~>": 2, "null?": 2, "in": 2, "subquery": 2,
}

func (a *astReader) condition(v relaxed) (*pdbTest, error) {
	op, args, err := a.call(v)
	if err != nil {
		return nil, err
	}
	want, known := astArguments[op.text]
	switch {
	case !known:
		e := mistake(op, "there is no operator "+quote(op.text), "one of "+strings.Join(sortedKeys(astArguments), " "))
		if near := nearest(op.text, sortedKeys(astArguments)); near != "" {
			e.Want = near
		}
		return nil, e
	case want < 0 && len(args) == 0:
		return nil, mistake(v, quote(op.text)+" requires at least one operand", "a condition after it")
	case want == 1 && len(args) != 1:
		return nil, mistake(v, fmt.Sprintf("%q takes exactly one operand, but %d were supplied", op.text, len(args)), `["not", […]]`)
	case op.text == "subquery" && len(args) == 1:
	case want == 2 && len(args) != 2:
		return nil, mistake(v, op.text+" requires exactly two operands", `["`+op.text+`", field, value]`)
	}
	t := &pdbTest{op: op.text, pos: v.pos, end: v.end}
	switch op.text {
	case "and", "or", "not":
		for _, arg := range args {
			part, err := a.condition(arg)
			if err != nil {
				return nil, err
			}
			t.parts = append(t.parts, part)
		}
		return t, nil
	case "subquery":
		t.op = "exists"
		if args[0].kind != relaxedString {
			return nil, mistake(args[0], "a subquery begins with an entity", `"resources"`)
		}
		t.query = &pdbQuery{entity: args[0].text, pos: args[0].pos, end: args[0].end}
		if len(args) == 1 {
			return t, nil
		}
		return t, a.part(args[1], t.query)
	case "in":
		return t, a.in(args, t)
	case "!=", "!~":
		t.op = t.op[1:]
		return &pdbTest{op: "not", parts: []*pdbTest{t}, pos: t.pos, end: t.end}, a.comparison(args, t)
	}
	return t, a.comparison(args, t)
}

func (a *astReader) comparison(args []relaxed, t *pdbTest) error {
	f, err := a.field(args[0])
	if err != nil {
		return err
	}
	t.fields = []pdbField{f}
	t.valuePos, t.valueEnd = args[1].pos, args[1].end
	if t.op == "null?" {
		if args[1].kind != relaxedBool {
			return mistake(args[1], "null? is true or false", "true")
		}
		t.op = "notnull"
		if args[1].value == true {
			t.op = "null"
		}
		return nil
	}
	t.value, err = a.value(args[1])
	return err
}

// in reads the fields and what they are in: an array or another query.
func (a *astReader) in(args []relaxed, t *pdbTest) error {
	names := []relaxed{args[0]}
	if args[0].kind == relaxedArray && !slices.ContainsFunc(args[0].items[:min(1, len(args[0].items))], func(v relaxed) bool { return v.text == "fact" }) {
		names = args[0].items
	}
	for _, name := range names {
		f, err := a.field(name)
		if err != nil {
			return err
		}
		t.fields = append(t.fields, f)
	}
	t.valuePos, t.valueEnd = args[1].pos, args[1].end
	if args[1].bare {
		var err error
		t.value, err = a.bound(args[1].text, args[1].pos, args[1].end)
		return err
	}
	op, rest, err := a.call(args[1])
	if err != nil {
		return err
	}
	switch op.text {
	case "array":
		if len(rest) != 1 || rest[0].kind != relaxedArray {
			return mistake(args[1], "array takes one list", `["array", ["a", "b"]]`)
		}
		t.value, err = a.value(rest[0])
		return err
	case "from":
		t.query, err = a.from(args[1], rest)
		return err
	case "extract":
		t.query, err = a.selected(args[1], rest)
		return err
	}
	return mistake(op, "in needs an array or a subquery", `["array", […]] or ["from", …]`)
}

// selected reads ["extract", fields, ["select_entity", condition]].
func (a *astReader) selected(v relaxed, args []relaxed) (*pdbQuery, error) {
	if len(args) == 2 {
		op, rest, err := a.call(args[1])
		entity, ok := strings.CutPrefix(op.text, "select_")
		if err == nil && ok && len(rest) <= 1 {
			q := &pdbQuery{entity: entity, pos: op.pos, end: op.end}
			if err := a.extract(v, args[:1], q); err != nil {
				return nil, err
			}
			if len(rest) == 1 {
				q.where, err = a.condition(rest[0])
			}
			return q, err
		}
	}
	return nil, mistake(v, "this is not a subquery", `["extract", "certname", ["select_resources", …]]`)
}

func (a *astReader) value(v relaxed) (Value, error) {
	switch v.kind {
	case relaxedString:
		if v.bare {
			return a.bound(v.text, v.pos, v.end)
		}
		return textValue(v.text), nil
	case relaxedNumber:
		return numberValue(numeral(v.value)), nil
	case relaxedBool:
		return boolValue(v.value == true), nil
	case relaxedArray:
		if len(v.items) > maxList {
			return Value{}, mistake(v.items[maxList], fmt.Sprintf("the list has more than %d members", maxList), "a parameter for a long list")
		}
		members := make([]Value, len(v.items))
		for i, item := range v.items {
			member, err := a.value(item)
			if err != nil {
				return Value{}, err
			}
			members[i] = member
		}
		return listValue(members), nil
	default:
	}
	return Value{}, mistake(v, "nothing compares with null", `["null?", field, true]`)
}
