// Package index answers queries over many nodes from memory, exactly as
// [query.Matches] would answer them document by document:
//
//	ix := index.New(index.Config{Load: load})
//	ix.Put(doc)
//	set, err := ix.Find(ctx, q.Filter, time.Now())
//	names := set.Identities()
//
// It holds no documents but columns: for each path what each node has there,
// by the number of the value in a pool that holds every value once. A
// comparison is asked of values, not of nodes; where it is not plain what it
// means for a value, [query.Matches] itself is asked, of a document that holds
// that value alone. So the meaning of the language stands in one place.
package index
