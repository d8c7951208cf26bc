package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// pageSize is how many nodes one answer holds where fields were asked for.
const pageSize = 1000

// found is the answer to a search.
type found struct {
	Count    int        `json:"count"`    // of Nodes
	Total    int        `json:"total"`    // how many nodes the query names; more than Count where a limit or a page cut
	Complete bool       `json:"complete"` // false: what was asked for goes on at Cursor
	Cursor   string     `json:"cursor,omitempty"`
	Oldest   *time.Time `json:"oldest"` // when the node heard of longest ago was last heard of
	Warnings []string   `json:"warnings"`
	Nodes    []any      `json:"nodes"` // names; objects where fields were asked for
}

func (s *Server) search(c echo.Context) error {
	key, keepable := keptKeyOf(c)
	if keepable {
		if answered, err := s.again(c, key); answered {
			return err
		}
	}
	basis := s.Registry.Basis() // first, so that it knows of all that happens from here on
	a, err := s.readAsk(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	q, err := s.understand(c, a)
	if err != nil {
		return err
	}
	if asksForRows(q) {
		return s.rows(ctx, c, a, q)
	}
	note(c, a.text(), 0)
	f, err := find(ctx, s.seen(c), a, q, basis)
	if err != nil {
		return err
	}
	note(c, a.text(), f.Total)
	if a.format != "json" {
		return f.write(c, a.format)
	}
	body, err := jsonOf(f)
	if err != nil {
		return err
	}
	if keepable {
		s.kept.keep(key, &keptAnswer{basis, a.text(), f.Total, body})
	}
	return write(c, http.StatusOK, echo.MIMEApplicationJSON, body)
}

func find(ctx context.Context, r Asked, a *ask, q *query.Query, basis *registry.Basis) (*found, error) {
	d := registry.Discovery{Query: q, Collectives: a.collectives, States: a.states, Sort: a.sort, Compiled: a.compiled, Basis: basis}
	if len(a.fields) == 0 {
		d.Limit = a.limit
	}
	answer, err := r.Find(ctx, d)
	if err != nil {
		return nil, err
	}
	f := &found{Total: answer.Count, Complete: true, Warnings: append([]string{}, answer.Warnings...)}
	nodes := answer.Nodes
	if len(a.fields) > 0 || a.cursor != "" {
		if nodes, f.Cursor, err = a.page(nodes); err != nil {
			return nil, err
		}
		f.Complete = f.Cursor == ""
	}
	f.fill(nodes, a.fields)
	return f, nil
}

// understand parses what is asked for, and holds it against the names that
// the fleet has: for warnings, or for an error where the asker wants that.
func (s *Server) understand(c echo.Context, a *ask) (*query.Query, error) {
	q, err := a.filters.Parse()
	if err != nil {
		return nil, err
	}
	q.Warnings = s.advice(c).Warnings(q)
	if a.strict != "" {
		if _, err := s.Registry.Vocabulary(); errors.Is(err, registry.ErrDirect) {
			return nil, err // what nobody has can not be told
		}
		if err := s.vocabulary(c).Check(a.withFields(q)); err != nil {
			f := failureOf(err)
			f.Code = "unknown_fact"
			return nil, f
		}
	}
	if len(a.fields) == 0 && !asksForRows(q) {
		for _, col := range q.Select {
			a.fields = append(a.fields, column(col.Path))
		}
	}
	return q, nil
}

// column is a path as a field is asked for.
func column(p query.Path) string {
	if len(p.Steps) == 0 {
		return p.Field
	}
	return p.String()
}

// withFields is q with the fields asked for as its columns, where these are to
// be known too.
func (a *ask) withFields(q *query.Query) *query.Query {
	if a.strict == "query" {
		return q
	}
	all := *q
	for _, f := range a.fields {
		if f != "*" && !slices.Contains(nodeKeys, f) {
			all.Select = append(all.Select, query.Column{Path: registry.ParsePath(f)})
		}
	}
	return &all
}

func (f *found) fill(nodes []registry.Found, fields []string) {
	f.Count, f.Nodes = len(nodes), make([]any, len(nodes))
	for i := range nodes {
		n := nodes[i]
		if len(fields) == 0 {
			f.Nodes[i] = string(n.Identity)
		} else {
			all := n.Node()
			f.Nodes[i] = project(&all, fields)
		}
		if !n.LastSeen.IsZero() && (f.Oldest == nil || n.LastSeen.Before(*f.Oldest)) {
			seen := n.LastSeen.UTC()
			f.Oldest = &seen
		}
	}
}

// write answers in a format that has no room to say whether the answer is all of
// it: the head does.
func (f *found) write(c echo.Context, format string) error {
	head := c.Response().Header()
	head.Set("Muster-Count", strconv.Itoa(f.Count))
	head.Set("Muster-Complete", strconv.FormatBool(f.Complete))
	if f.Cursor != "" {
		head.Set("Muster-Cursor", f.Cursor)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, n := range f.Nodes {
		if name, ok := n.(string); ok && format == "text" {
			out.WriteString(name + "\n")
			continue
		}
		if format == "text" {
			return fail(http.StatusBadRequest, "format text has names only, no fields").hint("use json or ndjson")
		}
		if name, ok := n.(string); ok {
			n = map[string]string{"identity": name}
		}
		if err := enc.Encode(n); err != nil {
			return fail(http.StatusInternalServerError, "the answer has no JSON: %v", err)
		}
	}
	kind := "application/x-ndjson"
	if format == "text" {
		kind = echo.MIMETextPlainCharsetUTF8
	}
	return write(c, http.StatusOK, kind, out.Bytes())
}
