package registrytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"muster/query"
	"muster/registry"
)

// Documents is an [Asker] over documents alone, by whatever can search them: what
// a registry adds to that is done here in the plainest way.
type Documents struct {
	All []*query.Document // with their states, see [DocumentsOf]
	Now time.Time

	// Search returns the identities of the documents that e holds for, in any
	// order.
	Search func(ctx context.Context, e query.Expr, now time.Time) ([]string, error)
}

// DocumentsOf returns the nodes of a registry, as they are now.
func DocumentsOf(ctx context.Context, r *registry.Registry) ([]*query.Document, error) {
	states, err := registry.ParseStates("any")
	if err != nil {
		return nil, err
	}
	a, err := r.Find(ctx, registry.Discovery{States: states})
	if err != nil {
		return nil, err
	}
	docs := make([]*query.Document, len(a.Nodes))
	for i, found := range a.Nodes {
		n := found.Node()
		docs[i] = n.Document()
	}
	return docs, nil
}

// Scan is an [Asker] that asks [query.Matches] of every document: the meaning
// itself.
func Scan(docs []*query.Document, now time.Time) Documents {
	return Documents{All: docs, Now: now, Search: func(_ context.Context, e query.Expr, now time.Time) (names []string, err error) {
		for _, doc := range docs {
			if query.Matches(e, doc, now) {
				names = append(names, doc.Identity)
			}
		}
		return names, nil
	}}
}

// Ask implements [Asker].
func (d Documents) Ask(ctx context.Context, q Question) ([]string, error) {
	parsed, err := q.Filters.Parse()
	if err != nil {
		return nil, err
	}
	states, err := registry.ParseStates(q.State)
	if err != nil {
		return nil, err
	}
	search := func(asked *query.Query) ([]*query.Document, error) {
		names, err := d.Search(ctx, asked.Filter, d.Now)
		if err != nil {
			return nil, err
		}
		found := slices.DeleteFunc(slices.Clone(d.All), func(doc *query.Document) bool {
			return !slices.Contains(names, doc.Identity) || !slices.Contains(states, registry.State(doc.State)) ||
				q.Collective != "" && !slices.Contains(doc.Collectives, q.Collective)
		})
		return registry.Sample(found, asked), nil
	}
	resolved, err := registry.Resolve(parsed, registry.Lookup{
		Rows: func(asked *query.Query) ([][]any, error) {
			found, err := search(asked)
			_, rows := asked.Rows(slices.Values(found), d.Now)
			return rows, err
		},
		Changed: func(*query.Query, *query.Changed) ([]string, error) {
			return nil, errors.New("documents have no history")
		},
	})
	if err != nil {
		return nil, err
	}
	found, err := search(resolved)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *query.Document) int {
		return strings.Compare(strings.ToLower(a.Identity), strings.ToLower(b.Identity))
	})
	names := []string{}
	if len(resolved.Select) == 0 && len(resolved.GroupBy) == 0 && resolved.Entity == "" {
		_, rows := resolved.Rows(slices.Values(found), d.Now) // in the query's order
		for _, row := range rows {
			name, _ := row[0].(string)
			names = append(names, name)
		}
	} else {
		for _, doc := range found {
			names = append(names, doc.Identity)
		}
	}
	if q.Limit > 0 {
		names = names[:min(len(names), q.Limit)]
	}
	return names, nil
}
