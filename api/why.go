package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// reason is one clause that rejects a node, and what the node has there.
type reason struct {
	Clause string `json:"clause"`
	Seen   string `json:"seen"`
	Start  int    `json:"start"` // where the clause stands in q, in bytes
	End    int    `json:"end"`
}

// why says which clauses of a search reject one node. It takes the keys of a
// search, and node.
func (s *Server) why(c echo.Context) error {
	values := c.QueryParams()
	name := values.Get("node")
	if name == "" {
		return fail(http.StatusBadRequest, "node is missing").hint("name one: node=db1.acme.net")
	}
	values.Del("node")
	a, err := s.readAsk(c)
	if err != nil {
		return err
	}
	q, err := a.filters.Parse()
	if err != nil {
		return err
	}
	n, err := s.nodeNamed(c, name)
	if err != nil {
		return err
	}
	reasons := []reason{}
	for _, r := range query.Why(q.Filter, n.Document(), s.Now()) {
		reasons = append(reasons, reason(r))
	}
	reasons = append(reasons, a.outside(n)...)
	return writeJSON(c, http.StatusOK, map[string]any{"node": string(n.Identity), "matches": len(reasons) == 0, "reasons": reasons})
}

// outside are the reasons that lie beside the query: the states and
// collectives that a search is about.
func (a *ask) outside(n *registry.Node) []reason {
	var out []reason
	states := a.states
	if len(states) == 0 {
		states = []registry.State{registry.Active, registry.Stale}
	}
	if !slices.Contains(states, n.State) {
		var words []string
		for _, state := range states {
			words = append(words, string(state))
		}
		out = append(out, reason{Clause: "state is " + strings.Join(words, " or "), Seen: string(n.State)})
	}
	if len(a.collectives) > 0 && !slices.ContainsFunc(n.Collectives, func(c string) bool { return slices.Contains(a.collectives, c) }) {
		out = append(out, reason{Clause: "in the collective " + strings.Join(a.collectives, " or "), Seen: strings.Join(n.Collectives, ", ")})
	}
	return out
}
