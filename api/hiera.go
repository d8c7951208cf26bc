package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// HieraKey is a key of Hiera's, and the query whose nodes are its value. What
// the key shows is for the operator to say: a node's certificate reads it too.
type HieraKey struct {
	Query string

	// Bind are the values of $names in the query, each by the path of the fact
	// that it is on the node whose catalog is compiled, such as
	// {"customer": "facts.customer"}. They are never parsed.
	Bind map[string]string

	Return   string // a path, whose values are listed; empty: identities
	Compiled bool   // as [registry.Discovery.Compiled]
}

// check parses the key's query as it will be asked.
func (k HieraKey) check(saved map[string]string) error {
	named := map[string]any{}
	for name := range k.Bind {
		named[name] = ""
	}
	q, err := query.Parse(k.Query, query.Options{Saved: saved, Named: named})
	if err == nil && asksForRows(q) {
		err = errors.New("the query's answer is no list of nodes")
	}
	return err
}

// nodesOwn are the keys that say what is known of the node itself.
const nodesOwn = "muster::"

// hiera answers with all data of a node as one flat object, for Hiera. Unknown
// nodes have what needs nothing of them. A key that cannot be answered wholly is
// left out, so that the lookup goes on, or fails: it is never a shorter list.
func (s *Server) hiera(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	name, err := part(c, "certname")
	if err != nil {
		return err
	}
	if err := itself(c, name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	out := map[string]any{}
	n, err := s.nodeNamed(c, name)
	if f, ok := errors.AsType[*Failure](err); ok && f.status == http.StatusNotFound {
		id, err := registry.ParseIdentity(name)
		if err != nil {
			return fail(http.StatusBadRequest, "%v", err)
		}
		n = &registry.Node{Identity: id}
	} else if err != nil {
		return err
	} else {
		for _, key := range []string{"identity", "facts", "trusted", "classes", "collectives"} {
			out[nodesOwn+key] = nodeValue(n, key)
		}
	}
	for key, k := range s.Hiera {
		values, err := s.hieraValues(ctx, s.seen(c), k, n)
		if missing, ok := errors.AsType[*missingValue](err); ok {
			s.log.Warn("a key of Hiera's is left out", "key", key, "node", n.Identity, "reason", missing.Error())
			continue
		}
		if err != nil {
			return err
		}
		out[key] = values
	}
	return writeJSON(c, http.StatusOK, out)
}

// missingValue is a fact that a node does not have.
type missingValue struct{ identity, path string }

func (m *missingValue) Error() string { return m.identity + " has no " + m.path }

func (s *Server) hieraValues(ctx context.Context, seen Asked, k HieraKey, n *registry.Node) ([]any, error) {
	named := map[string]any{}
	for name, path := range k.Bind {
		value := field(n, path)
		if value == nil {
			return nil, &missingValue{string(n.Identity), path}
		}
		named[name] = value
	}
	q, err := query.Parse(k.Query, query.Options{Saved: s.Saved, Named: named})
	if err != nil {
		return nil, err
	}
	answer, err := seen.Find(ctx, registry.Discovery{Query: q, Compiled: k.Compiled})
	if err != nil {
		return nil, err
	}
	values := make([]any, len(answer.Nodes))
	for i, found := range answer.Nodes {
		if values[i] = string(found.Identity); k.Return == "" {
			continue
		}
		other := found.Node()
		if values[i] = field(&other, k.Return); values[i] == nil {
			return nil, &missingValue{string(found.Identity), k.Return}
		}
	}
	return values, nil
}

// checkHiera says which key could not be asked.
func checkHiera(keys map[string]HieraKey, saved map[string]string) error {
	for key, k := range keys {
		if strings.HasPrefix(key, nodesOwn) {
			return fmt.Errorf("the key %q of Hiera: keys that begin with %s are muster's own", key, nodesOwn)
		}
		if err := k.check(saved); err != nil {
			return fmt.Errorf("the key %q of Hiera: %w", key, err)
		}
	}
	return nil
}
