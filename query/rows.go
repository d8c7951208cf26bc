package query

import "slices"

// rows asks for each row that a node has: its classes, or the leaves of its facts.
func (h *Has) rows(s *scope, t *tally) {
	t.present = true
	for _, row := range rowsOf(h.Path.Field, s.doc) {
		inner := &scope{doc: s.doc, element: row.value, key: row.key, path: row.path, now: s.now}
		if matches(h.Expr, inner) {
			t.some = true
		} else {
			t.failed = true
		}
	}
}

// row is one row of an entity: a fact, a leaf of one, or a class.
type row struct {
	key   string // the top-level fact
	path  []any  // of a leaf: names and positions (int64)
	value any
}

// rowsOf lists what a node has in a field, in order.
func rowsOf(field string, doc *Document) []row {
	var rows []row
	switch field {
	case "classes":
		for _, class := range doc.Classes {
			rows = append(rows, row{value: title(class)})
		}
	case "facts":
		for _, name := range sortedKeys(doc.Facts) {
			rows = append(rows, row{key: name, value: doc.Facts[name]})
		}
		if len(doc.Trusted) > 0 {
			rows = append(rows, row{key: "trusted", value: doc.Trusted})
		}
	case "contents":
		for _, name := range sortedKeys(doc.Facts) {
			rows = leaves(rows, name, []any{name}, doc.Facts[name])
		}
		if len(doc.Trusted) > 0 {
			rows = leaves(rows, "trusted", []any{"trusted"}, doc.Trusted)
		}
	}
	return rows
}

func leaves(rows []row, key string, path []any, v any) []row {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			rows = leaves(rows, key, append(slices.Clip(path), name), v[name])
		}
	case []any:
		for i, el := range v {
			rows = leaves(rows, key, append(slices.Clip(path), int64(i)), el)
		}
	default:
		rows = append(rows, row{key: key, path: path, value: v})
	}
	return rows
}
