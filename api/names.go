package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"muster/registry"
	"muster/registry/index"
)

// described is a path of facts and what the nodes have there. Types and Values
// are not known of what lies inside of lists.
type described struct {
	registry.Count
	Types  []string `json:"types,omitempty"`  // null, boolean, number, text, date, list, object; those of most nodes first
	Values int      `json:"values,omitempty"` // different ones; [index.MaxValues] stands for more
}

// facts lists the paths of facts in use, over nodes in any state.
func (s *Server) facts(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	names, err := s.seen(c).Names()
	if err != nil {
		return err
	}
	known, err := s.seen(c).Facts()
	if err != nil {
		return err
	}
	at := make(map[string]int, len(known))
	for i, f := range known {
		at[f.Path] = i
	}
	list := make([]described, len(names.Facts))
	for i, name := range names.Facts {
		list[i].Count = name
		if k, ok := at[name.Name]; ok {
			list[i].Types, list[i].Values = known[k].Types, known[k].Values
		}
	}
	return writeJSON(c, http.StatusOK, map[string]any{"count": len(list), "facts": list})
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
	found, err := histogram(ctx, s.seen(c), registry.Discovery{Query: q, Collectives: a.collectives, States: a.states}, path)
	if err != nil {
		return err
	}
	note(c, a.text(), found.Nodes)
	values := make([]valued, len(found.Counts))
	for i, c := range found.Counts {
		text, err := json.Marshal(c.Value)
		if err != nil {
			return fail(http.StatusInternalServerError, "the answer has no JSON: %v", err)
		}
		values[i] = valued{text, c.Nodes}
	}
	slices.SortFunc(values, func(a, b valued) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(string(a.Value), string(b.Value)))
	})
	return writeJSON(c, http.StatusOK, map[string]any{
		"path": path, "nodes": found.Nodes, "missing": found.Missing, "count": len(values), "values": values,
		"warnings": append([]string{}, found.Warnings...),
	})
}

// histogram counts what [field] has of each node.
func histogram(ctx context.Context, r Asked, d registry.Discovery, path string) (registry.Values, error) {
	if !slices.Contains(nodeKeys, path) {
		return r.Histogram(ctx, d, path)
	}
	answer, err := r.Find(ctx, d)
	if err != nil {
		return registry.Values{}, err
	}
	tally := index.Tally{}
	for _, found := range answer.Nodes {
		n := found.Node()
		tally.Add(field(&n, path), 1)
	}
	return registry.NewValues(len(answer.Nodes), tally.Counts(), answer.Warnings), nil
}
