package api

import (
	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// vocabulary is what the fleet has names for now, as far as the asker may know;
// nothing while it is loaded.
func (s *Server) vocabulary(c echo.Context) query.Vocabulary {
	if v := s.viewOf(c); v != nil {
		return s.vocabularyOf(v)
	}
	known, err := s.Registry.Vocabulary()
	if err != nil {
		return query.Vocabulary{}
	}
	return query.Vocabulary{Names: known.Names} // values are asked for apart
}

// advice is what may be said unasked about the names in a query. Who sees some
// collectives only gets none: to find out what those have takes too long.
func (s *Server) advice(c echo.Context) query.Vocabulary {
	if v := s.viewOf(c); v != nil && len(v.sight.Collectives) > 0 {
		return query.Vocabulary{}
	}
	return s.vocabulary(c)
}

// vocabularyOf is what a view has names for.
func (s *Server) vocabularyOf(v *view) query.Vocabulary {
	names, err := v.Names()
	if err != nil {
		return query.Vocabulary{}
	}
	known := map[string]map[string]int{
		"fact": tally(names.Facts), "class": tally(names.Classes),
		"agent": tally(names.Agents), "collective": tally(names.Collectives),
	}
	return query.Vocabulary{Names: func(kind string) map[string]int { return known[kind] }}
}

func tally(list []registry.Count) map[string]int {
	counts := make(map[string]int, len(list))
	for _, c := range list {
		counts[c.Name] = c.Nodes
	}
	return counts
}
