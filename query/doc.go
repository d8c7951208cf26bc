// Package query is the language for naming nodes.
//
// A query is text in one of several dialects; all of them become one tree, and
// what a tree means is said once:
//
//	q, err := query.Parse("os=Linux and not /^db/", query.Options{})
//	...
//	query.Matches(q.Filter, doc, now)
//
// The same nodes, named in each dialect:
//
//	customer=acme and mysql::master                    native and select, as typed after --select
//	customer=acme mysql::master                        with, as typed after --with
//	{"facts.customer": "acme", classes: mysql::master} mongo, as sent by Puppet
//	inventory { facts.customer = 'acme' and classes = 'mysql::master' }   pql
//	["and", ["=", "facts.customer", "acme"], ["=", "classes", "mysql::master"]]   ast
//
// The policy of a dialect (what an absent fact means, how arrays and numbers
// compare) is written into the tree, so that [Matches] and whatever answers
// faster than it cannot disagree about a dialect.
//
// The package does no I/O, reads no clock and knows nothing of nodes beyond
// [Document]. Its stack use is bounded: text longer than 16 KiB or nested
// deeper than 100 is refused before it is parsed.
package query
