package pdb

import (
	"slices"
	"time"

	"muster/query"
	"muster/registry"
)

// cell is one value of a row: from a column of the registry's table, or made of
// the node that the row is about.
type cell struct {
	name string
	at   int // the column; -1: of
	of   func(*registry.Node) any
}

// head is one value of a row about a node, made of what is at hand of it.
type head struct {
	name string
	of   func(registry.Found) any
}

// Finds reports whether the registry is to be asked for nodes, for
// [Question.Found], and not for rows. Then most answers cost no look into the
// nodes themselves.
func (q *Question) Finds() bool { return q.counts || q.heads != nil || q.cells == nil }

// shape decides what a row holds, and has the query ask for that.
func (q *Question) shape() error {
	columns := q.Query.Select
	aggregates := len(q.Query.GroupBy) > 0 || slices.ContainsFunc(columns, func(c query.Column) bool { return c.Func != "" })
	isNode := q.Query.Entity == ""
	switch {
	case aggregates:
		return q.shapeGroups()
	case len(columns) == 0 && isNode:
		return nil
	case len(columns) == 0:
		columns = wholeRow[q.Query.Kind]
	case isNode || q.oneRowANode():
		if q.heads = headsOf(columns); q.heads != nil {
			return nil
		}
	}
	q.Query.Select = []query.Column{{Path: query.Path{Field: "identity"}}} // whose row it is
	for _, c := range columns {
		of := nodeCells[c.Name]
		if c.Path.Field == "" || isNode && (c.Path.Field == "state" || c.Path.Field == "seen" || len(c.Path.Steps) == 0 && of != nil) {
			q.cells = append(q.cells, cell{name: c.Name, at: -1, of: of})
			continue
		}
		q.cells = append(q.cells, cell{name: c.Name, at: len(q.Query.Select)})
		q.Query.Select = append(q.Query.Select, c)
	}
	return nil
}

// shapeGroups is shape for what is counted and grouped.
func (q *Question) shapeGroups() error {
	for i, c := range q.Query.Select {
		if c.Func == "" && c.Path.Field == "state" {
			return &query.SyntaxError{Dialect: q.Query.Dialect, Text: q.Query.Text, Problem: "nodes cannot be grouped by " + c.Name + " here"}
		}
		q.cells = append(q.cells, cell{name: c.Name, at: i})
	}
	only := q.Query.Select
	q.counts = q.Query.Entity == "" && len(q.Query.GroupBy) == 0 && len(only) == 1 && only[0].Func == "count" && only[0].Path.Field == ""
	return nil
}

// oneRowANode reports whether the query selects one row of each node: a class
// by its title, or a fact by its name.
func (q *Question) oneRowANode() bool {
	if len(q.Query.OrderBy) > 0 {
		return false
	}
	switch c, ok := q.Query.Where.(*query.Compare); q.Query.Kind {
	case "resources":
		return ok && c.Op == "=" && c.Value.Kind == "text" && c.Path.Field == "element"
	case "facts":
		// Where the fact is named, the filter is a condition on that fact alone.
		_, isCompare := q.Query.Filter.(*query.Compare)
		_, isAnd := q.Query.Filter.(query.And)
		return isCompare || isAnd
	}
	return false
}

// headsOf are columns that need no look into the nodes, nil if one does.
func headsOf(columns []query.Column) []head {
	known := map[string]func(registry.Found) any{
		"certname":    func(n registry.Found) any { return string(n.Identity) },
		"deactivated": func(n registry.Found) any { return deactivated(n.Deactivated) },
		"expired":     func(n registry.Found) any { return expired(n.State, n.LastSeen) },
	}
	var heads []head
	for _, c := range columns {
		of := known[c.Name]
		if of == nil || c.Path.Steps != nil {
			return nil
		}
		heads = append(heads, head{c.Name, of})
	}
	return heads
}

func field(name string) query.Path { return query.Path{Field: name} }

// wholeRow are the columns of rows that are no nodes. What a PuppetDB knows of
// a resource and we do not is null, which nobody can take for an answer.
var wholeRow = map[string][]query.Column{
	"facts": {
		{Name: "certname", Path: field("identity")}, {Name: "environment", Path: environment}, {Name: "name", Path: field("key")}, {Name: "value", Path: field("element")},
	},
	"fact_contents": {
		{Name: "certname", Path: field("identity")}, {Name: "environment", Path: environment}, {Name: "path", Path: field("path")},
		{Name: "name", Path: field("key")}, {Name: "value", Path: field("element")},
	},
	"resources": {
		{Name: "certname", Path: field("identity")}, {Name: "environment", Path: environment}, {Name: "type", Path: field("type")}, {Name: "title", Path: field("element")},
		{Name: "exported"}, {Name: "tags"}, {Name: "file"}, {Name: "line"}, {Name: "resource"}, {Name: "parameters"},
	},
}

var environment = registry.ParsePath("facts.environment")

// nodeCells are the columns that are made of a node.
var nodeCells = map[string]func(*registry.Node) any{
	"certname":    func(n *registry.Node) any { return string(n.Identity) },
	"deactivated": func(n *registry.Node) any { return deactivated(n.Deactivated) },
	"expired":     func(n *registry.Node) any { return expired(n.State, n.LastSeen) },
	"timestamp":   heard(registry.PuppetFacts, registry.Daemon, registry.Import),
	"lastseen":    func(n *registry.Node) any { return wireTime(n.LastSeen) },
	"facts":       facts,
	"trusted":     trusted,

	"facts_timestamp":   heard(registry.PuppetFacts, registry.Daemon, registry.Import),
	"catalog_timestamp": heard(registry.Catalog),
	"report_timestamp":  heard(registry.Report),

	"facts_environment":   func(n *registry.Node) any { return n.Facts["environment"] },
	"catalog_environment": func(n *registry.Node) any { return ifHeard(n, registry.Catalog, n.Facts["environment"]) },
	"report_environment":  lastRun("environment"),

	"latest_report_status":            lastRun("status"),
	"latest_report_noop":              lastRun("noop"),
	"latest_report_noop_pending":      lastRun("noop_pending"),
	"latest_report_corrective_change": lastRun("corrective_change"),
	"cached_catalog_status":           lastRun("cached_catalog_status"),

	"exported": func(*registry.Node) any { return false }, // a class never is
}

// Columns of a whole node, in the order in which they are written.
var (
	nodeColumns = []string{
		"certname", "deactivated", "expired", "facts_timestamp", "catalog_timestamp", "report_timestamp", "facts_environment", "catalog_environment",
		"report_environment", "latest_report_hash", "latest_report_status", "latest_report_noop", "latest_report_noop_pending",
		"latest_report_corrective_change", "latest_report_job_id", "cached_catalog_status",
	}
	inventoryColumns = []string{"certname", "timestamp", "environment", "facts", "trusted"}
)

func wireTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(TimeFormat)
}

// heard is when the first of some sources that spoke of the node last did.
func heard(sources ...registry.Source) func(*registry.Node) any {
	return func(n *registry.Node) any {
		for _, source := range sources {
			if s := n.Sections[source]; s != nil {
				return wireTime(s.Received)
			}
		}
		return nil
	}
}

func ifHeard(n *registry.Node, source registry.Source, v any) any {
	if n.Sections[source] == nil {
		return nil
	}
	return v
}

func deactivated(d *registry.Deactivation) any {
	if d == nil {
		return nil
	}
	return wireTime(d.At)
}

// expired is since when an expired node is silent.
func expired(state registry.State, seen time.Time) any {
	if state != registry.Expired {
		return nil
	}
	return wireTime(seen)
}

func lastRun(key string) func(*registry.Node) any {
	return func(n *registry.Node) any {
		run, _ := n.Facts["last_run"].(map[string]any)
		return run[key]
	}
}

// facts are all of a node's, with what its certificate says as the fact
// trusted, as PuppetDB has it.
func facts(n *registry.Node) any {
	if len(n.Trusted) == 0 {
		return n.Facts
	}
	return with(map[string]any{string(registry.Trusted): n.Trusted}, n.Facts)
}

func trusted(n *registry.Node) any {
	if len(n.Trusted) == 0 {
		return nil
	}
	return n.Trusted
}

// Found is the answer to a question about nodes, and how many rows it has with
// those beyond its limit.
func (q *Question) Found(a registry.Answer) (answer []byte, total int) {
	if q.counts {
		return append(appendCell([]byte{'['}, 0, q.cells[0].name, int64(a.Count)), "}]"...), 1
	}
	columns := inventoryColumns
	if q.Query.Kind == "nodes" {
		columns = nodeColumns
	}
	b := []byte{'['}
	for i, found := range cutPage(q, a.Nodes) {
		if i > 0 {
			b = append(b, ',')
		}
		if q.heads == nil {
			n := found.Node()
			b = appendNode(b, &n, columns)
			continue
		}
		for j, h := range q.heads {
			b = appendCell(b, j, h.name, h.of(found))
		}
		b = append(b, '}')
	}
	return append(b, ']'), a.Count
}

// Node is one whole node as the endpoint nodes/NAME has it.
func Node(n *registry.Node) []byte { return appendNode(nil, n, nodeColumns) }

func appendNode(b []byte, n *registry.Node, columns []string) []byte {
	for i, name := range columns {
		of := nodeCells[name]
		if name == "environment" {
			of = nodeCells["facts_environment"]
		}
		b = appendCell(b, i, name, call(of, n))
	}
	return append(b, '}')
}

func call(of func(*registry.Node) any, n *registry.Node) any {
	if of == nil {
		return nil
	}
	return of(n)
}

// Rows is the answer to any other question: of the registry's table, and the
// nodes that its rows are about.
func (q *Question) Rows(rows [][]any, node func(name string) (registry.Node, bool)) []byte {
	var about registry.Node
	needsNode := slices.ContainsFunc(q.cells, func(c cell) bool { return c.of != nil })
	b := []byte{'['}
	for i, row := range cutPage(q, rows) {
		if i > 0 {
			b = append(b, ',')
		}
		if name, _ := row[0].(string); needsNode && name != string(about.Identity) {
			about, _ = node(name)
		}
		for j, c := range q.cells {
			v := call(c.of, &about)
			if c.at >= 0 {
				v = row[c.at]
			}
			b = appendCell(b, j, c.name, v)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendCell(b []byte, i int, name string, v any) []byte {
	sep := byte(',')
	if i == 0 {
		sep = '{'
	}
	b = append(registry.AppendJSON(append(b, sep), name), ':')
	if t, ok := v.(time.Time); ok {
		v = wireTime(t)
	}
	return registry.AppendJSON(b, v)
}
