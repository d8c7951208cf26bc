package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// completed says how a query can go on: every candidate can take the place of
// the text from Start to the offset that was asked about.
type completed struct {
	Start      int      `json:"start"` // in bytes
	Candidates []string `json:"candidates"`
}

// maxCandidates is how many ways to go on are worth reading.
const maxCandidates = 200

// complete offers names and values that nodes have, those of most nodes first,
// and the words of the language. offset counts bytes; default is the end of q.
func (s *Server) complete(c echo.Context) error {
	asked, err := oneOf(c, "q", "dialect", "offset")
	if err != nil {
		return err
	}
	dialect, err := query.ParseDialect(asked["dialect"])
	if err != nil {
		return fail(http.StatusBadRequest, "%v", err)
	}
	text, offset := asked["q"], len(asked["q"])
	if at := asked["offset"]; at != "" {
		if offset, err = strconv.Atoi(at); err != nil || offset < 0 || offset > len(text) {
			return fail(http.StatusBadRequest, "offset must be from 0 to %d, the length of q, not %q", len(text), cut(at, 20))
		}
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	known := s.vocabulary(c)
	known.Values = func(path string) map[string]int { return valuesOf(ctx, s.seen(c), path) }
	out := completed{Candidates: []string{}}
	start, candidates := known.Complete(text, offset, dialect)
	out.Start = start
	out.Candidates = append(out.Candidates, candidates[:min(len(candidates), maxCandidates)]...)
	return writeJSON(c, http.StatusOK, out)
}

// valuesOf counts the values of a fact over the live nodes, as text. What can
// not be had in time is not offered.
func valuesOf(ctx context.Context, r Asked, path string) map[string]int {
	if _, err := r.Names(); err != nil {
		return nil // nor the values, then
	}
	found, err := histogram(ctx, r, registry.Discovery{}, path)
	if err != nil {
		return nil
	}
	counts := map[string]int{}
	for _, c := range found.Counts {
		switch v := c.Value.(type) {
		case nil, map[string]any, []any:
			// Only what can be written as a value is worth offering.
		case string:
			counts[v] += c.Nodes
		default:
			counts[string(registry.AppendJSON(nil, v))] += c.Nodes
		}
	}
	return counts
}
