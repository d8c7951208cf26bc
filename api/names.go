package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// facts lists the paths of facts in use, over nodes in any state.
func (s *Server) facts(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	names, err := s.seen(c).Names()
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, map[string]any{"count": len(names.Facts), "facts": orNone(names.Facts)})
}

// classes lists the classes in use, over nodes in any state.
func (s *Server) classes(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	names, err := s.seen(c).Names()
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, map[string]any{"count": len(names.Classes), "classes": orNone(names.Classes)})
}

func orNone(list []registry.Count) []registry.Count {
	if list == nil {
		return []registry.Count{}
	}
	return list
}

// valued is a value of a fact and how many nodes have it.
type valued struct {
	Value json.RawMessage `json:"value"`
	Nodes int             `json:"nodes"`
}

// values counts the values of one fact over the nodes that a search names, the
// most common first. Nodes without the fact are counted apart.
func (s *Server) values(c echo.Context) error {
	path, err := part(c, "path")
	if err != nil {
		return err
	}
	a, err := s.readAsk(c)
	if err != nil {
		return err
	}
	q, err := s.understand(c, a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	answer, err := s.seen(c).Find(ctx, registry.Discovery{Query: q, Collectives: a.collectives, States: a.states})
	if err != nil {
		return err
	}
	note(c, a.text(), len(answer.Nodes))
	counts, missing := map[string]int{}, 0
	for i := range answer.Nodes {
		n := answer.Nodes[i].Node()
		v := field(&n, path)
		if v == nil {
			missing++
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return fail(http.StatusInternalServerError, "the answer has no JSON: %v", err)
		}
		counts[string(text)]++
	}
	values := make([]valued, 0, len(counts))
	for text, n := range counts {
		values = append(values, valued{json.RawMessage(text), n})
	}
	slices.SortFunc(values, func(a, b valued) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(string(a.Value), string(b.Value)))
	})
	return writeJSON(c, http.StatusOK, map[string]any{
		"path": path, "nodes": len(answer.Nodes), "missing": missing, "count": len(values), "values": values,
		"warnings": append([]string{}, answer.Warnings...),
	})
}
