package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// node answers with all that is known of one node. A node's own certificate
// reads that node only.
func (s *Server) node(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	name, err := part(c, "identity")
	if err != nil {
		return err
	}
	if err := itself(c, name); err != nil {
		return err
	}
	n, err := s.nodeNamed(c, name)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, whole(n))
}

// nodeNamed returns a node in any state. That there is none can only be said
// once all are loaded.
func (s *Server) nodeNamed(c echo.Context, name string) (*registry.Node, error) {
	if n, ok := s.seen(c).Node(name); ok {
		return &n, nil
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyPatience)
	defer cancel()
	if err := s.Registry.Ready(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, registry.ErrLoading
		}
		return nil, err
	}
	return nil, fail(http.StatusNotFound, "no node is called %q", cut(name, 60))
}

// section is what one source said of a node, without what it said.
type section struct {
	Received time.Time  `json:"received"`
	Changed  time.Time  `json:"changed"`
	Sent     *time.Time `json:"sent,omitempty"`
	Auth     string     `json:"auth"`
	Hash     string     `json:"hash"`
	Warnings []string   `json:"warnings,omitempty"`
}

// whole is a node as one object: the keys of a node document, which `muster
// match` and `muster import` read, and what the registry knows beside them.
func whole(n *registry.Node) map[string]any {
	sections := map[registry.Source]section{}
	for source, sec := range n.Sections {
		out := section{Received: sec.Received.UTC(), Changed: sec.Changed.UTC(), Auth: sec.Auth, Hash: sec.Hash, Warnings: sec.Warnings}
		if !sec.Sent.IsZero() {
			sent := sec.Sent.UTC()
			out.Sent = &sent
		}
		sections[source] = out
	}
	out := map[string]any{"sections": sections}
	if n.Deactivated != nil {
		out["deactivated"] = map[string]any{"by": n.Deactivated.By, "at": n.Deactivated.At.UTC()}
	}
	if n.RenamedTo != "" {
		out["renamed_to"] = n.RenamedTo
	}
	if n.Learnt > 0 {
		out["learnt"] = int64(n.Learnt / time.Second)
	}
	for _, key := range nodeKeys {
		out[key] = nodeValue(n, key)
	}
	return out
}
