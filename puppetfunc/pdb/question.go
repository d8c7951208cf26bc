package pdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"muster/query"
	"muster/registry"
)

// Question is what a client asks of a PuppetDB.
type Question struct {
	Query *query.Query // as the registry is to be asked
	Total bool         // the client wants to know how many rows there are, with those beyond its limit

	limit  *int
	offset int
	cells  []cell // of each row of the answer; none: a row is a whole node
	heads  []head // instead of cells, where what is at hand of a node is enough
	counts bool   // the answer is how many nodes there are
}

// Paths of the endpoints that are answered, and what one row of each is.
var entities = map[string]string{"nodes": "nodes", "inventory": "inventory", "facts": "facts", "fact-contents": "fact_contents", "resources": "resources"}

// The parameters that are understood, and those that change nothing here.
var (
	parameters = []string{"query", "limit", "offset", "order_by", "include_total"}
	noMatter   = []string{"pretty", "timeout", "origin", "optimize_drop_unused_joins", "explain_timeout"}
)

// Ask reads a question. The endpoint is "" for /pdb/query/v4, whose query says
// itself what it is about, else such as "nodes"; where are conditions that the
// path of the request puts, in AST. Parameters are in the request's query, or
// in body, a JSON object. The error is a [*query.SyntaxError], or another whose
// text is for the client.
func Ask(endpoint string, where []any, values url.Values, body []byte) (*Question, error) {
	p, err := readParameters(values, body)
	if err != nil {
		return nil, err
	}
	o := query.Options{Dialect: "pql", Whole: true}
	text := p["query"]
	switch {
	case endpoint != "":
		if o.Entity = entities[endpoint]; o.Entity == "" {
			return nil, notHeld(endpoint)
		}
		o.Dialect = "ast"
		if text, err = joined(text, where); err != nil {
			return nil, err
		}
	case text == "":
		return nil, fmt.Errorf("there is no query: send PQL, or AST such as [\"from\", \"nodes\"], as the parameter query")
	case strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "["):
		o.Dialect = "ast"
	}
	if o.OrderBy, err = readOrder(p["order_by"]); err != nil {
		return nil, err
	}
	parsed, err := query.Parse(text, o)
	if err != nil {
		return nil, err
	}
	if rows, ok := parsed.Filter.(*query.Has); ok && parsed.Kind == "facts" {
		// Trusted is a row as well, which is not among the facts of a node.
		parsed.Filter = query.Or{rows, &query.Compare{Path: field("trusted"), Op: "exists", Quant: "any", View: "typed"}}
	}
	q := &Question{Query: parsed, Total: p["include_total"] == "true"}
	if err := q.page(p); err != nil {
		return nil, err
	}
	return q, q.shape()
}

// notHeld says that an endpoint has nothing here.
func notHeld(endpoint string) error {
	known := slices.Sorted(maps.Keys(entities))
	return fmt.Errorf("%s are not held here: an answer would leave out what a PuppetDB knows; there are %s", cut(endpoint), strings.Join(known, ", "))
}

// joined is a condition in AST and those of the path.
func joined(text string, where []any) (string, error) {
	if len(where) == 0 {
		return text, nil
	}
	all := []any{"and"}
	if strings.TrimSpace(text) != "" {
		all = append(all, json.RawMessage(text))
	}
	out, err := json.Marshal(append(all, where...))
	if err != nil {
		return "", fmt.Errorf("the query is not JSON; a condition is an array such as [\"=\", \"certname\", \"web1\"]")
	}
	return string(out), nil
}

// readParameters returns the parameters that are known, as text.
func readParameters(values url.Values, body []byte) (map[string]string, error) {
	p := map[string]string{}
	for key, list := range values {
		p[key] = list[len(list)-1]
	}
	if len(body) > 0 {
		s := registry.ReadStrict(body)
		err := s.Object("the question", func(key string) (err error) {
			if s.Kind() == '"' || s.Kind() == 'n' {
				p[key], err = s.Text(key)
				return err
			}
			raw, err := s.Raw()
			p[key] = string(raw)
			return err
		})
		if err == nil {
			err = s.End()
		}
		if err != nil {
			return nil, fmt.Errorf("the body is not {\"query\": …}: %w", err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(parameters, key) && !slices.Contains(noMatter, key) {
			return nil, fmt.Errorf("the parameter %q is not understood; known are %s", cut(key), strings.Join(parameters, ", "))
		}
	}
	return p, nil
}

// readOrder reads [{"field": "certname", "order": "desc"}].
func readOrder(text string) ([]query.Column, error) {
	if text == "" {
		return nil, nil
	}
	var list []struct{ Field, Order string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("order_by is a list such as [{\"field\": \"certname\", \"order\": \"desc\"}]")
	}
	var columns []query.Column
	for _, o := range list {
		order := strings.ToLower(o.Order)
		if order != "" && order != "asc" && order != "desc" {
			return nil, fmt.Errorf("order_by knows the orders asc and desc, not %q", cut(o.Order))
		}
		columns = append(columns, query.Column{Name: o.Field, Desc: order == "desc"})
	}
	return columns, nil
}

// page takes limit and offset, of the request or else of the query. Where the
// client wants the total, the registry is asked for all.
func (q *Question) page(p map[string]string) error {
	q.limit, q.offset = q.Query.Limit, q.Query.Offset
	if text := p["limit"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("limit is a whole number of 1 or more, not %q", cut(text))
		}
		q.limit = &n
	}
	if text := p["offset"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("offset is a whole number, not %q", cut(text))
		}
		q.offset = n
	}
	if text := p["include_total"]; text != "" && text != "true" && text != "false" {
		return fmt.Errorf("include_total is true or false, not %q", cut(text))
	}
	q.Query.Limit, q.Query.Offset = q.limit, q.offset
	if q.Total {
		q.Query.Limit, q.Query.Offset = nil, 0
	}
	return nil
}

// cutPage is the part of an answer in full that the client wants.
func cutPage[T any](q *Question, all []T) []T {
	if !q.Total && (q.heads == nil || q.Query.Entity == "") { // the registry has cut it
		return all
	}
	all = all[min(q.offset, len(all)):]
	if q.limit != nil {
		all = all[:min(*q.limit, len(all))]
	}
	return all
}

// Discovery is how the registry is to be asked: a PuppetDB tells of the nodes
// that are alive, unless the query says which states it wants.
func (q *Question) Discovery() registry.Discovery {
	d := registry.Discovery{Query: q.Query}
	if q.Query.AnyState {
		d.States = []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}
	}
	return d
}
