package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/query"
	"muster/registry"
)

var _ registry.Searcher = (*Store)(nil)

// Search implements [registry.Searcher].
func (s *Store) Search(ctx context.Context, e query.Expr, now time.Time, add func(registry.Node) error) error {
	return s.load(ctx, pushed(e, now), add)
}

// Count implements [registry.Searcher].
func (s *Store) Count(ctx context.Context) (int, error) {
	n, err := s.nodes.CountDocuments(ctx, bson.D{ours})
	if err != nil {
		return 0, s.words("counting in", err)
	}
	return int(n), nil
}
