// Package query is the language for naming nodes.
package query
