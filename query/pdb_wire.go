package query

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// asked puts into a query what a client's request says besides.
func (r *reader) asked(q *pdbQuery) error {
	for _, o := range r.OrderBy {
		if o.Name == "" || fieldLength(o.Name) != len(o.Name) {
			return &SyntaxError{Problem: "order_by names no field: " + quote(o.Name), Want: `[{"field": "certname"}]`}
		}
		f := splitField(o.Name, 0)
		f.pos, f.end = 0, 0
		q.order = append(q.order, pdbColumn{field: f, desc: o.Desc})
	}
	return nil
}

// onlyClasses refuses a question about resources that is not said to be about
// classes: an empty or short answer would be taken for the truth.
func (l *pdbLowerer) onlyClasses(q *pdbQuery) error {
	if !l.Whole || q.entity != "resources" || q.where.isClass() {
		return nil
	}
	return &SyntaxError{
		Offset: q.pos, End: q.end, Problem: "of resources only classes are held here, and this asks for others too",
		Want: "type = 'Class' and …", Hint: "exported and other resources are in the PuppetDB alone: leave the storeconfigs of those who collect them there",
	}
}

// isClass reports whether a condition holds of classes only.
func (t *pdbTest) isClass() bool {
	if t == nil {
		return false
	}
	some, all := false, len(t.parts) > 0
	for _, part := range t.parts {
		is := part.isClass()
		some, all = some || is, all && is
	}
	switch t.op {
	case "and":
		return some
	case "or":
		return all
	case "=":
		return t.fields[0].text == "type" && t.value.Kind == "text" && t.value.Text == "Class"
	case "in":
		return t.query == nil && len(t.fields) == 1 && t.fields[0].text == "type" && len(t.value.List) == 1 && t.value.List[0].Text == "Class"
	}
	return false
}

// Fields of resources that PuppetDB has and we do not.
var pdbNotHeld = map[string]string{
	"exported":   "exported resources are not held here; an answer would leave them out",
	"parameters": "parameters of resources are not held here: they may be secrets",
	"tag":        "tags of resources are not held here", "tags": "tags of resources are not held here",
	"file": "where a resource is declared is not held here", "line": "where a resource is declared is not held here",
	"resource": "hashes of resources are not held here", "latest_report_hash": "reports are not held here, only how the last one ended",
	"latest_report_job_id": "jobs are not held here",
}

// notHeld explains why a field of PuppetDB's is none of ours.
func notHeld(f pdbField, entity string) error {
	problem, ok := pdbNotHeld[f.name()]
	if !ok || entity != "resources" && !strings.HasPrefix(f.name(), "latest_") {
		return nil
	}
	return &SyntaxError{Offset: f.pos, End: f.end, Problem: problem, Want: "certname, type, title or environment; for nodes latest_report_status"}
}

// stateTest answers conditions on node_state, which lift PuppetDB's rule that
// only active nodes are told of.
func (c pdbCol) stateTest(l *pdbLowerer, t *pdbTest) (Expr, error) {
	ended := []Value{textValue("deactivated"), textValue("expired")}
	state := &Compare{Path: c.path, Op: "in", Value: listValue(ended), Quant: "any", View: "typed", Start: t.pos, End: t.end}
	if t.op != "=" || t.value.Kind != "text" {
		return nil, t.mistake("node_state is compared with = only", "node_state = 'any'")
	}
	l.anyState = true
	switch t.value.Text {
	case "inactive":
		return state, nil
	case "active":
		return not(state), nil
	case "any":
		return All{}, nil
	}
	return nil, t.badValue("there is no such state", "'active', 'inactive' or 'any'")
}

// agentFile is a file that Puppet's choria module makes for each RPC agent of a
// server. Choria asks for its tag to find who has the agent.
const agentFile = "mcollective_agent_"

// agentOf is the RPC agent whose file a condition on resources asks for, as
// Choria's discovery does; "" for any other condition.
func (t *pdbTest) agentOf() string {
	if t == nil || t.op != "and" || len(t.parts) != 2 {
		return ""
	}
	kind, tag := t.parts[0], t.parts[1]
	for _, part := range t.parts {
		if part.op != "=" || part.value.Kind != "text" {
			return ""
		}
	}
	name, isAgent := strings.CutPrefix(tag.value.Text, agentFile)
	name, isServer := strings.CutSuffix(name, "_server")
	if !isAgent || !isServer || kind.fields[0].text != "type" || kind.value.Text != "File" || tag.fields[0].text != "tag" {
		return ""
	}
	return name
}

// matchLength is the length of .match("\d+") at the start of s, which takes any
// position of a list: the only pattern for a part of a name that is understood.
func matchLength(s string) int {
	for _, any := range []string{`.match("\d+")`, `.match(".*")`} {
		if strings.HasPrefix(s, any) {
			return len(any)
		}
	}
	return 0
}

// matchMistake finds a pattern for a part of a name that is not understood.
func matchMistake(tokens []lexer.Token) error {
	for i, t := range tokens {
		if t.Type == pqlWord && strings.HasSuffix(t.Value, ".match") && tokens[i+1].Value == "(" {
			return &SyntaxError{Offset: t.Pos.Offset, End: tokenEnd(tokens[i+1]), Problem: "of patterns in names only any position of a list is understood", Want: fmt.Sprintf("%s(%s)", t.Value, `"\d+"`)}
		}
	}
	return nil
}
