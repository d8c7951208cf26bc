package query

import (
	"strconv"
	"strings"
)

// pql writes the query in PQL.
func (q *pdbQuery) pql() string {
	var b strings.Builder
	b.WriteString(q.entity)
	if len(q.columns) > 0 {
		b.WriteString("[" + pqlColumns(q.columns) + "]")
	}
	b.WriteString(" {")
	if q.where != nil {
		b.WriteString(" " + q.where.pql(0))
	}
	if len(q.group) > 0 {
		b.WriteString(" group by " + pqlColumns(q.group))
	}
	if len(q.order) > 0 {
		b.WriteString(" order by " + pqlColumns(q.order))
	}
	if q.limit != nil {
		b.WriteString(" limit " + strconv.Itoa(*q.limit))
	}
	if q.offset > 0 {
		b.WriteString(" offset " + strconv.Itoa(q.offset))
	}
	b.WriteString(" }")
	return strings.Replace(b.String(), "{ }", "{}", 1)
}

func pqlColumns(columns []pdbColumn) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = c.field.text
		if c.fn != "" {
			texts[i] = c.fn + "(" + c.field.text + ")"
		}
		if c.desc {
			texts[i] += " desc"
		}
	}
	return strings.Join(texts, ", ")
}

// pql writes a condition; level is 1 among the parts of "and".
func (t *pdbTest) pql(level int) string {
	switch t.op {
	case "and", "or":
		texts := make([]string, len(t.parts))
		for i, part := range t.parts {
			texts[i] = part.pql(map[string]int{"and": 1, "or": 0}[t.op])
			if t.op == "or" && part.op == "or" {
				texts[i] = "(" + texts[i] + ")"
			}
		}
		text := strings.Join(texts, " "+t.op+" ")
		if level > 0 {
			text = "(" + text + ")"
		}
		return text
	case "not":
		return "!(" + t.parts[0].pql(0) + ")"
	case "exists":
		return t.query.pql()
	case "in":
		if t.query != nil {
			return t.fields[0].text + " in " + t.query.pql()
		}
	case "null":
		return t.fields[0].text + " is null"
	case "notnull":
		return t.fields[0].text + " is not null"
	}
	return t.fields[0].text + " " + t.op + " " + pqlText(&t.value)
}

// pqlText writes a value.
func pqlText(v *Value) string {
	switch v.Kind {
	case "text":
		if strings.ContainsAny(v.Text, `\'`) {
			return jsonString(v.Text)
		}
		return "'" + v.Text + "'"
	case "list":
		texts := make([]string, len(v.List))
		for i := range v.List {
			texts[i] = pqlText(&v.List[i])
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}
	return strings.TrimPrefix(v.Text, "+")
}
