package query

import (
	"strconv"
	"strings"
)

// ast writes the query as an array.
func (q *pdbQuery) ast() string {
	parts := []string{`"from"`, jsonString(q.entity)}
	var where []string
	if q.where != nil {
		where = []string{q.where.ast()}
	}
	if len(q.columns) > 0 {
		extract := append([]string{`"extract"`, astColumns(q.columns, false)}, where...)
		where = []string{astArray(extract...)}
	}
	parts = append(parts, where...)
	if len(q.group) > 0 {
		parts = append(parts, `["group_by", `+astColumns(q.group, false)[1:])
	}
	if len(q.order) > 0 {
		parts = append(parts, astArray(`"order_by"`, astColumns(q.order, true)))
	}
	if q.limit != nil {
		parts = append(parts, astArray(`"limit"`, strconv.Itoa(*q.limit)))
	}
	if q.offset > 0 {
		parts = append(parts, astArray(`"offset"`, strconv.Itoa(q.offset)))
	}
	return astArray(parts...)
}

func astArray(parts ...string) string { return "[" + strings.Join(parts, ", ") + "]" }

func astColumns(columns []pdbColumn, order bool) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		texts[i] = jsonString(c.field.text)
		if c.fn != "" {
			call := []string{`"function"`, jsonString(c.fn)}
			if c.field.text != "" {
				call = append(call, texts[i])
			}
			texts[i] = astArray(call...)
		}
		if order && c.desc {
			texts[i] = astArray(texts[i], `"desc"`)
		}
	}
	return astArray(texts...)
}

func (t *pdbTest) ast() string {
	switch t.op {
	case "and", "or", "not":
		parts := []string{jsonString(t.op)}
		for _, part := range t.parts {
			parts = append(parts, part.ast())
		}
		return astArray(parts...)
	case "exists":
		parts := []string{`"subquery"`, jsonString(t.query.entity)}
		if t.query.where != nil {
			parts = append(parts, t.query.where.ast())
		}
		return astArray(parts...)
	case "!=":
		equal := *t
		equal.op = "="
		return negated(&equal).ast()
	case "!~":
		like := *t
		like.op = "~"
		return negated(&like).ast()
	case "null", "notnull":
		return astArray(`"null?"`, jsonString(t.fields[0].text), strconv.FormatBool(t.op == "null"))
	case "in":
		if t.query != nil {
			return astArray(`"in"`, jsonString(t.fields[0].text), t.query.ast())
		}
		return astArray(`"in"`, jsonString(t.fields[0].text), astArray(`"array"`, astText(&t.value)))
	}
	return astArray(jsonString(t.op), jsonString(t.fields[0].text), astText(&t.value))
}

func astText(v *Value) string {
	switch v.Kind {
	case "text":
		return jsonString(v.Text)
	case "number":
		text, err := plainNumber(v)
		if err != nil {
			return v.Text // too precise for a float, which readable notices
		}
		return text
	case "list":
		texts := make([]string, len(v.List))
		for i := range v.List {
			texts[i] = astText(&v.List[i])
		}
		return astArray(texts...)
	}
	return v.Text
}
