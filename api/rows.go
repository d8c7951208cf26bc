package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// tabled is the answer to a search that asks for rows which are no nodes:
// groups with what is counted of them, or the facts of nodes one by one.
type tabled struct {
	Count    int      `json:"count"`
	Complete bool     `json:"complete"`
	Warnings []string `json:"warnings"`
	Columns  []string `json:"columns"`
	Rows     [][]any  `json:"rows"`
}

// asksForRows reports whether the rows of q's answer are no nodes.
func asksForRows(q *query.Query) bool {
	return q.Entity != "" || len(q.GroupBy) > 0 ||
		slices.ContainsFunc(q.Select, func(c query.Column) bool { return c.Func != "" })
}

func (s *Server) rows(ctx context.Context, c echo.Context, a *ask, q *query.Query) error {
	if len(a.fields) > 0 || a.sort != "" || a.limit > 0 || a.cursor != "" || a.format == "text" {
		return fail(http.StatusBadRequest, "this query says itself which rows it wants").
			hint("leave out fields, sort, limit, cursor and format=text; say order by and limit in the query")
	}
	table, err := s.seen(c).Rows(ctx, registry.Discovery{Query: q, Collectives: a.collectives, States: a.states, Compiled: a.compiled})
	if err != nil {
		return err
	}
	note(c, a.text(), len(table.Rows))
	out := tabled{
		Count: len(table.Rows), Complete: true, Warnings: append([]string{}, table.Warnings...),
		Columns: table.Columns, Rows: make([][]any, len(table.Rows)),
	}
	for i, row := range table.Rows {
		out.Rows[i] = make([]any, len(row))
		for j, v := range row {
			out.Rows[i][j] = json.RawMessage(registry.AppendJSON(nil, v))
		}
	}
	return writeJSON(c, http.StatusOK, out)
}
