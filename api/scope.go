package api

import (
	"context"
	"slices"
	"sync"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
	"muster/registry/index"
)

// entire are the routes that are about the whole registry at once: who may see
// only a part of it may not ask them.
var entire = []string{"GET /v1/backup", "POST /v1/restore", "POST /v1/thaw", "GET /v1/rejected", "GET /metrics", "GET " + neighbourPath, "POST " + neighbourPath}

// seen is the registry as the principal of a request sees it. Handlers ask it,
// and never s.Registry itself.
func (s *Server) seen(c echo.Context) Asked {
	if v := s.viewOf(c); v != nil {
		return v
	}
	return s.Registry
}

// seenLife is the same of the lifecycle.
func (s *Server) seenLife(c echo.Context) Told {
	if v := s.viewOf(c); v != nil {
		return v
	}
	return s.Life
}

// viewOf is what a principal sees who may not see everything; nil: everything.
func (s *Server) viewOf(c echo.Context) *view {
	p := principalOf(c)
	if p.sight == nil {
		return nil
	}
	return &view{base: s.Registry, life: s.Life, sight: p.sight, server: s}
}

// view is a registry of which a scope hides a part. What it hides it has not: a
// query about a fact that may not be seen is one about a fact that no node has.
type view struct {
	base   Registry
	life   Life
	sight  *registry.Sight
	server *Server
}

// nobody is a collective in which no node can be.
const nobody = "\x00"

// narrow keeps a discovery within the collectives of the scope.
func (v *view) narrow(d registry.Discovery) registry.Discovery {
	mine := v.sight.Collectives
	switch {
	case len(mine) == 0:
	case len(d.Collectives) == 0:
		d.Collectives = mine
	default:
		both := slices.DeleteFunc(slices.Clone(d.Collectives), func(c string) bool { return !slices.Contains(mine, c) })
		if len(both) == 0 {
			both = []string{nobody}
		}
		d.Collectives = both
	}
	return d
}

// plain is the discovery that answers d when it is asked of the registry itself;
// false: there is none.
func (v *view) plain(d registry.Discovery) (registry.Discovery, bool) {
	q, ok := v.sight.Query(d.Query)
	d.Query = q
	if d.Sort != "" && !v.sight.Fact(d.Sort) {
		ok = false
	}
	return d, ok
}

// Find answers as [registry.Registry.Find] does.
func (v *view) Find(ctx context.Context, d registry.Discovery) (a registry.Answer, err error) {
	d = v.narrow(d)
	if asked, plain := v.plain(d); plain {
		a, err = v.base.Find(ctx, asked)
		v.cut(a.Nodes)
	} else {
		var among registry.Among
		if among, err = v.among(ctx, d); err == nil {
			a, err = among.Find(ctx, d)
		}
	}
	a.Warnings = v.warnings(d)
	return a, err
}

// Rows answers as [registry.Registry.Rows] does.
func (v *view) Rows(ctx context.Context, d registry.Discovery) (t registry.Table, err error) {
	d = v.narrow(d)
	if asked, plain := v.plain(d); plain {
		t, err = v.base.Rows(ctx, asked)
	} else {
		var among registry.Among
		if among, err = v.among(ctx, d); err == nil {
			t, err = among.Rows(ctx, d)
		}
	}
	t.Warnings = v.warnings(d)
	return t, err
}

// warnings are those that may be given: the registry's own name what others have.
func (v *view) warnings(d registry.Discovery) []string {
	if d.Query == nil {
		return v.server.standing()
	}
	known := query.Vocabulary{}
	if len(v.sight.Collectives) == 0 {
		known = v.server.vocabularyOf(v)
	}
	return append(known.Warnings(d.Query), v.server.standing()...)
}

// cut shows of nodes what the scope does.
func (v *view) cut(nodes []registry.Found) {
	for i := range nodes {
		nodes[i] = v.sight.Found(nodes[i])
	}
}

// among is all that the scope shows, for questions that no index may answer.
func (v *view) among(ctx context.Context, d registry.Discovery) (registry.Among, error) {
	all, err := v.base.Find(ctx, registry.Discovery{Collectives: d.Collectives, States: d.States, Compiled: d.Compiled})
	if err != nil {
		return registry.Among{}, err
	}
	v.cut(all.Nodes)
	return registry.Among{
		Nodes: all.Nodes, Now: v.server.Now(),
		Changed: func(_ *query.Query, c *query.Changed) ([]string, error) {
			asked, plain := v.sight.Query(&query.Query{Filter: c})
			if !plain {
				return nil, nil
			}
			a, err := v.base.Find(ctx, registry.Discovery{Query: asked, Collectives: d.Collectives, States: d.States})
			return a.Names(), err
		},
	}, nil
}

// Node finds a node that the scope shows.
func (v *view) Node(id string) (registry.Node, bool) {
	n, ok := v.base.Node(id)
	if !ok {
		return n, false
	}
	return v.sight.Of(n)
}

// Names are those of what the scope shows.
func (v *view) Names() (registry.Names, error) {
	names, err := v.base.Names()
	if err != nil || len(v.sight.Collectives) == 0 {
		return v.sight.Names(names), err
	}
	return v.server.scoped.of(v, v.base.Stats().Revision)
}

// Facts describes those of the facts that the scope shows whole, where it shows
// them of all nodes.
func (v *view) Facts() ([]index.Fact, error) {
	if len(v.sight.Collectives) > 0 {
		return nil, nil
	}
	facts, err := v.base.Facts()
	return slices.DeleteFunc(facts, func(f index.Fact) bool { return !v.sight.Fact(f.Path) }), err
}

// Histogram counts values as [registry.Registry.Histogram] does.
func (v *view) Histogram(ctx context.Context, d registry.Discovery, path string) (registry.Values, error) {
	answer, err := v.Find(ctx, d)
	if err != nil {
		return registry.Values{}, err
	}
	tally := index.Tally{}
	for _, found := range answer.Nodes {
		n := found.Node()
		value, _ := n.Value(path)
		tally.Add(value, 1)
	}
	return registry.NewValues(len(answer.Nodes), tally.Counts(), answer.Warnings), nil
}

// Vocabulary is that of what the scope shows.
func (v *view) Vocabulary() (query.Vocabulary, error) { return v.server.vocabularyOf(v), nil }

// scopedNames keeps the names of those who see some collectives only, until the
// registry changes.
type scopedNames struct {
	mu       sync.Mutex
	revision uint64
	names    map[*registry.Sight]registry.Names
}

func (s *scopedNames) of(v *view, revision uint64) (registry.Names, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil || s.revision != revision {
		s.names, s.revision = map[*registry.Sight]registry.Names{}, revision
	}
	if names, known := s.names[v.sight]; known {
		return names, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), v.server.Deadline)
	defer cancel()
	d := v.narrow(registry.Discovery{States: []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated}})
	a, err := v.base.Find(ctx, d)
	if err != nil {
		return registry.Names{}, err
	}
	v.cut(a.Nodes)
	names, err := registry.NamesOf(ctx, a.Nodes)
	if err == nil {
		s.names[v.sight] = names
	}
	return names, err
}
