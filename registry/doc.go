// Package registry knows what each node of a fleet last said, and answers who
// is what.
//
//	r, err := registry.Open(ctx, registry.Config{Store: store})
//	...
//	receipt, err := r.Register(ctx, registry.Registration{
//		Identity: "db1.acme.net",
//		Source:   registry.Daemon,
//		Auth:     "cert",
//		Facts:    map[string]any{"customer": "acme"},
//		Classes:  []string{"mysql::master"},
//	})
//	...
//	q, err := query.Parse("customer=acme and mysql::master", query.Options{})
//	answer, err := r.Find(ctx, registry.Discovery{Query: q})
//	answer.Nodes[0].Identity // db1.acme.net
//
// A [Registration] is one message as a node sent it; Register makes a [Node] of
// it, or refuses it with a reason that [Registry.Rejected] lists. A registration
// that was accepted is in the [Store] before Register returns, and every later
// Find sees it.
//
// A node is made of sections, one for each source that speaks about it, each
// replaced as a whole. What readers see is merged from them by one rule, see
// [NewNode]. The state of a node is its age, by one rule, see [Lifecycle].
package registry
