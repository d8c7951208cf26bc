package api

import (
	"sync"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// vocabularies keeps the names of the fleet as the language wants them, until
// the registry has new ones.
type vocabularies struct {
	mu    sync.Mutex
	names registry.Names
	known map[string]map[string]int
}

// vocabulary is what the fleet has names for now, as far as the asker may know;
// nothing while it is loaded.
func (s *Server) vocabulary(c echo.Context) query.Vocabulary {
	if v := s.viewOf(c); v != nil {
		return s.vocabularyOf(v)
	}
	names, err := s.Registry.Names()
	if err != nil {
		return query.Vocabulary{}
	}
	return query.Vocabulary{Names: s.words.of(names)}
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
	return query.Vocabulary{Names: new(vocabularies).of(names)}
}

func (v *vocabularies) of(names registry.Names) func(kind string) map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || !same(v.names.Facts, names.Facts) || !same(v.names.Classes, names.Classes) {
		v.names = names
		v.known = map[string]map[string]int{
			"fact": tally(names.Facts), "class": tally(names.Classes),
			"agent": tally(names.Agents), "collective": tally(names.Collectives),
		}
	}
	known := v.known
	return func(kind string) map[string]int { return known[kind] }
}

// same reports whether two lists are one: the registry hands out the same
// lists as long as nothing has changed.
func same(a, b []registry.Count) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func tally(list []registry.Count) map[string]int {
	counts := make(map[string]int, len(list))
	for _, c := range list {
		counts[c.Name] = c.Nodes
	}
	return counts
}
