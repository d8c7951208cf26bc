// Package mongostore keeps the nodes of a registry in MongoDB, one document a
// node, in the shape that MCollective's registration agent gave them:
//
//	store, err := mongostore.Open(ctx, mongostore.Config{URI: "mongodb://db1/puppet"})
//	...
//	r, err := registry.Open(ctx, registry.Config{Store: store})
//
// A document is
//
//	{_id: "db1.acme.net",                      the identity in lower case
//	 fqdn: "db1.acme.net", identity: "DB1.acme.net", lastseen: 1700000000,
//	 agentlist: [], classes: [], collectives: [], facts: {},
//
//	 format: 1, seen: Date, first: Date, trusted: {},
//	 version: 4711, rev: 1700000000000000, event: {},
//	 sections: {daemon: {auth, hash, sequence, received, …, facts}}}
//
// of which the first part is what the old readers know. A section has no facts
// of its own where those of the document are its. By version a registry knows
// whether the document is still the one that it knows, by rev followers find
// what was written, and event is what happened with the last change.
//
// Beside the nodes are the journal (nodes.events), tombstones (nodes.gone) and
// small things (nodes.state). See docs/mongodb.md.
//
// Keys of facts are escaped so that no server and no path takes them for
// something else: "." is U+FF0E, "$" is U+FF04, and these two and the backslash
// have a backslash before them; the empty key is a backslash and "e". A number
// that neither int64 nor double holds exactly is an object with its text under
// a backslash and "n".
//
// Writes are confirmed by a majority of the servers, and what is read is.
package mongostore
