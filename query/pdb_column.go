package query

import "strings"

// pdbCol is a field of an entity: where it is in a document, and what kind of
// thing it holds: "name" (the node's), "fact", "title", "class", "agent",
// "words", "time", "path", "ended" (a time we know only to be there), "type",
// or "active".
type pdbCol struct {
	kind string
	path Path
}

// view is how values of the column compare.
func (c pdbCol) view() string {
	switch c.kind {
	case "name":
		return "host"
	case "title", "class", "agent":
		return c.kind
	}
	return "typed"
}

// column finds a field in the lowerer's entity, or names the nearest one.
func (l *pdbLowerer) column(f pdbField) (pdbCol, error) {
	name := f.name()
	below := len(f.steps) > 1
	if f.text == "certname" {
		return pdbCol{"name", Path{Field: "identity"}}, nil
	}
	c, ok := pdbColumnsOf[l.entity][name]
	if !ok && pdbEntities[l.entity] == "" {
		c, ok = pdbNodeColumns[name]
	}
	switch {
	case !ok || below && c.path.Field != "facts" && c.path.Field != "trusted" || below && c.path.Steps != nil:
		return pdbCol{}, l.unknownColumn(f)
	case below:
		c.path.Steps = f.steps[1:]
		if name == "facts" {
			c.path.Flat = f.flat
		}
		c.path = trustedApart(c.path)
	}
	return c, nil
}

var (
	pdbEnvironment = pdbCol{"fact", factPath("environment")}
	pdbSeen        = pdbCol{"time", Path{Field: "seen"}}
	pdbFact        = pdbCol{"fact", Path{Field: "facts"}}
	pdbNodeState   = pdbCol{"node state", Path{Field: "state"}}
	pdbActive      = pdbCol{"active", Path{Field: "state"}}
	pdbValue       = pdbCol{"fact", Path{Field: "element"}}
	pdbNodeColumns = map[string]pdbCol{
		"classes": {"class", Path{Field: "classes"}}, "agents": {"agent", Path{Field: "agents"}}, "collectives": {"words", Path{Field: "collectives"}},
		"state": {"words", Path{Field: "state"}}, "auth": {"words", Path{Field: "auth"}}, "lastseen": pdbSeen, "timestamp": pdbSeen, "node_state": pdbNodeState,
	}
	pdbColumnsOf = map[string]map[string]pdbCol{
		"inventory": {"fact tuple": pdbFact, "node active": pdbActive, "facts": {"fact", Path{Field: "facts"}}, "trusted": {"fact", Path{Field: "trusted"}}, "environment": pdbEnvironment},
		"nodes": {
			"facts_timestamp": pdbSeen, "catalog_timestamp": pdbSeen, "report_timestamp": pdbSeen,
			"facts_environment": pdbEnvironment, "catalog_environment": pdbEnvironment, "report_environment": pdbEnvironment,
			"latest_report_status": lastRun("status"), "latest_report_noop": lastRun("noop"), "latest_report_noop_pending": lastRun("noop_pending"),
			"latest_report_corrective_change": lastRun("corrective_change"), "cached_catalog_status": lastRun("cached_catalog_status"),
			"deactivated": {"ended", Path{Field: "state"}}, "expired": {"ended", Path{Field: "state"}}, "fact tuple": pdbFact, "node active": pdbActive,
		},
		"facts":         {"name": {"words", Path{Field: "key"}}, "value": pdbValue, "environment": pdbEnvironment},
		"fact_contents": {"name": {"words", Path{Field: "key"}}, "path": {"path", Path{Field: "path"}}, "value": pdbValue, "environment": pdbEnvironment},
		"resources":     {"title": {"title", Path{Field: "element"}}, "type": {"type", Path{Field: "type"}}, "environment": pdbEnvironment},
	}
)

// lastRun is what is known of the last report.
func lastRun(key string) pdbCol { return pdbCol{"fact", factPath("last_run", key)} }

func (l *pdbLowerer) unknownColumn(f pdbField) error {
	if err := notHeld(f, l.entity); err != nil {
		return err
	}
	known := []string{"certname"}
	for _, name := range sortedKeys(pdbColumnsOf[l.entity]) {
		if !strings.Contains(name, " ") { // the older tuples have no name of their own
			known = append(known, name)
		}
	}
	if pdbEntities[l.entity] == "" {
		known = append(known, sortedKeys(pdbNodeColumns)...)
	}
	e := &SyntaxError{Offset: f.pos, End: f.end, Problem: quote(f.text) + " is not a field of " + l.entity}
	e.Hint = "the fields of " + l.entity + " are " + strings.Join(known, ", ")
	near := nearest(f.name(), known)
	switch {
	case near != "" && len(f.steps) == 1:
		e.Want = near
	case l.entity == "inventory":
		e.Want = "facts." + f.text
	case f.name() == "facts" && l.entity == "nodes":
		e.Want = "inventory { " + f.text + " … }"
	default:
		e.Want = "one of its fields"
	}
	return e
}

// test lowers one comparison with the column.
func (c pdbCol) test(l *pdbLowerer, t *pdbTest) (Expr, error) {
	switch c.kind {
	case "type":
		return c.testType(l, t)
	case "ended":
		return c.testEnded(t)
	case "active":
		l.anyState = true
		return c.testActive(t)
	case "node state":
		return c.stateTest(l, t)
	case "path":
		return c.testPath(l, t)
	case "time":
		return c.testTime(t)
	}
	out := &Compare{Path: c.path, Op: t.op, Value: t.value, Quant: "any", View: c.view(), Start: t.pos, End: t.end}
	switch t.op {
	case "null", "notnull":
		return c.testNull(t, out)
	case "~", "!~":
		return out, l.regexTest(t, out)
	case "in":
		return c.testIn(l, t, out)
	case "=", "!=":
		return c.testEqual(l, t, out)
	case "~>":
		return nil, t.mistake("~> compares the path of fact_contents", "~")
	}
	if t.value.Kind != "number" && t.value.Kind != "text" {
		return nil, t.badValue("this has no order", "a number, or text in quotes")
	}
	if out.View != "typed" {
		return nil, t.mistake(t.fields[0].text+" holds names, and names have no order here", "=, != or ~")
	}
	return out, nil
}

func (c pdbCol) testNull(t *pdbTest, out *Compare) (Expr, error) {
	if c.kind != "fact" {
		return nil, t.mistake(t.fields[0].text+" is never null", "a fact")
	}
	out.Op, out.Quant, out.Value = "=", "self", nullValue()
	if t.op == "notnull" {
		out.Op = "!="
	}
	return out, nil
}

// regexTest makes a comparison with a pattern of out.
func (l *pdbLowerer) regexTest(t *pdbTest, out *Compare) error {
	if t.value.Kind != "text" && t.value.Kind != "regex" {
		return t.badValue("a regular expression is text", "a pattern in quotes")
	}
	value, err := l.regex(t.value.Text, t.value.Flags, t.valuePos+1)
	if err != nil {
		return within0(err, relaxed{pos: t.valuePos, end: t.valueEnd})
	}
	out.Value, out.Op = value, "=~"
	if t.op == "!~" || t.op == "!=" {
		out.Op, out.Quant, out.Absent = "!~", "all", true
	}
	return nil
}

func (c pdbCol) testIn(l *pdbLowerer, t *pdbTest, out *Compare) (Expr, error) {
	if t.value.Kind != "list" {
		return nil, t.badValue("in needs a list or a subquery", "['a', 'b'], or entity[field] { … }")
	}
	members := make([]Value, len(t.value.List))
	for i, m := range t.value.List {
		if members[i] = c.normal(m); m.Kind != "regex" {
			continue
		}
		var err error
		if members[i], err = l.regex(m.Text, m.Flags, t.valuePos); err != nil {
			return nil, within0(err, relaxed{pos: t.valuePos, end: t.valueEnd})
		}
	}
	out.Value = listValue(members)
	return out, nil
}

// normal is a value as the column keeps it.
func (c pdbCol) normal(v Value) Value {
	if c.kind == "class" && v.Kind == "text" {
		return textValue(classKey(v.Text))
	}
	return v
}

func (c pdbCol) testEqual(l *pdbLowerer, t *pdbTest, out *Compare) (Expr, error) {
	switch v := t.value; {
	case v.Kind == "regex":
		return out, l.regexTest(t, out)
	case v.Kind == "list" && len(v.List) == 0:
		return nil, t.badValue("the list is empty", "at least one value; every list contains nothing")
	case v.Kind == "list" && c.kind != "fact":
		return c.testNames(t, out)
	case v.Kind == "list":
		out.Quant = "self"
		if t.op == "!=" {
			out.Op = "="
			return not(out), nil
		}
		return out, nil
	case v.Kind == "null":
		return nil, t.badValue("nothing equals null", "is null")
	}
	out.Value = c.normal(t.value)
	if t.op == "!=" {
		out.Quant, out.Absent = "all", true
	}
	return out, nil
}

// testNames is true of nodes that have every one of the listed names.
func (c pdbCol) testNames(t *pdbTest, out *Compare) (Expr, error) {
	parts := make([]Expr, len(t.value.List))
	for i, m := range t.value.List {
		one := *out
		one.Op, one.Value = "=", c.normal(m)
		parts[i] = &one
	}
	if t.op == "!=" {
		return not(and(parts...)), nil
	}
	return and(parts...), nil
}

// testType answers conditions on the type of a resource, which is always Class.
func (c pdbCol) testType(l *pdbLowerer, t *pdbTest) (Expr, error) {
	probe := &Compare{Path: Path{Field: "element"}, Op: t.op, Value: t.value, Quant: "any", View: "typed", Start: t.pos, End: t.end}
	switch t.op {
	case "=", "!=", "in":
		if t.value.Kind == "text" && t.value.Text != "Class" {
			return nil, t.badValue("resources of type "+t.value.Text+" are not held here", "'Class'")
		}
	case "~", "!~":
		if err := l.regexTest(t, probe); err != nil {
			return nil, err
		}
	default:
		return nil, t.mistake("a type is compared with =, ~ or in", "type = 'Class'")
	}
	if t.value.Kind == "list" {
		probe.Value = listValue(t.value.List)
	}
	if probe.matches(&scope{doc: &Document{}, element: "Class"}) {
		return All{}, nil
	}
	return noNode(t), nil
}

// testEnded answers whether a node was deactivated or has expired; when is not
// known here.
func (c pdbCol) testEnded(t *pdbTest) (Expr, error) {
	state := &Compare{Path: c.path, Op: "=", Value: textValue(t.fields[0].text), Quant: "any", View: "typed", Start: t.pos, End: t.end}
	switch t.op {
	case "null":
		return not(state), nil
	case "notnull":
		return state, nil
	}
	return nil, t.mistake("when a node was "+t.fields[0].text+" is not known here", "is null or is not null")
}

func (c pdbCol) testActive(t *pdbTest) (Expr, error) {
	if t.op != "=" || t.value.Kind != "bool" {
		return nil, t.mistake("active is true or false", "= true")
	}
	ended := &Compare{Path: c.path, Op: "in", Value: listValue([]Value{textValue("deactivated"), textValue("expired")}), Quant: "any", View: "typed", Start: t.pos, End: t.end}
	if t.value.bool {
		return not(ended), nil
	}
	return ended, nil
}

func (c pdbCol) testTime(t *pdbTest) (Expr, error) {
	out := &Compare{Path: c.path, Op: t.op, Value: t.value, Quant: "any", View: "typed", Start: t.pos, End: t.end}
	switch t.op {
	case "<", "<=", ">", ">=", "=":
	case "!=":
		out.Quant, out.Absent = "all", true
	default:
		return nil, t.mistake("a time is compared with a date", "< '2026-11-01'")
	}
	switch t.value.Kind {
	case "time":
		return out, nil
	case "text":
		if when, ok := parseTime(t.value.Text); ok {
			out.Value = timeValue(when)
			return out, nil
		}
	case "number":
		return nil, t.badValue("a number has no unit here: seconds or milliseconds", "a date such as '2026-11-01T04:26:40Z'")
	}
	return nil, t.badValue("this is not a date", "a date such as '2026-11-01' or '2026-11-01T04:26:40Z'")
}

// testPath compares the path of a leaf: whole, or each part with a pattern.
func (c pdbCol) testPath(l *pdbLowerer, t *pdbTest) (Expr, error) {
	out := &Compare{Path: c.path, Op: "=", Value: t.value, Quant: "self", View: "native", Start: t.pos, End: t.end}
	if t.value.Kind != "list" || len(t.value.List) == 0 {
		return nil, t.badValue("a path is a list of names and positions", "['os', 'family']")
	}
	switch t.op {
	case "=":
		return out, nil
	case "!=":
		return not(out), nil
	case "in":
		out.Op = "in"
		return out, nil
	case "~>":
	default:
		return nil, t.mistake("a path is compared with =, in or ~>", "path ~> ['networking', '.*', 'ip']")
	}
	parts := make([]Value, len(t.value.List))
	for i, part := range t.value.List {
		if part.Kind == "number" {
			parts[i] = part
			continue
		}
		v, err := l.regex("^(?:"+part.Text+")$", "", t.valuePos)
		if err != nil {
			return nil, within0(err, relaxed{pos: t.valuePos, end: t.valueEnd})
		}
		parts[i] = v
	}
	out.Value = listValue(parts)
	return out, nil
}
