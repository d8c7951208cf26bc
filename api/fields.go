package api

import (
	"slices"
	"time"

	"muster/registry"
)

// nodeKeys are the fields of a node that are no facts.
var nodeKeys = []string{
	"identity", "facts", "trusted", "classes", "agents", "collectives",
	"state", "auth", "lastseen", "seen", "firstseen", "interval", "warnings",
}

// project is a node with the fields asked for, each under the name it was
// asked by, and its identity. A field that the node does not have is null.
func project(n *registry.Node, fields []string) map[string]any {
	if slices.Contains(fields, "*") {
		return whole(n)
	}
	out := map[string]any{"identity": string(n.Identity)}
	for _, f := range fields {
		out[f] = field(n, f)
	}
	return out
}

// field is the value at a path: one of the node's own keys, or a path as
// [registry.Node.Value] has it. Nil where there is none.
func field(n *registry.Node, path string) any {
	if slices.Contains(nodeKeys, path) {
		return nodeValue(n, path)
	}
	v, _ := n.Value(path)
	return v
}

func nodeValue(n *registry.Node, key string) any {
	switch key {
	case "identity":
		return string(n.Identity)
	case "facts":
		return orEmpty(n.Facts)
	case "trusted":
		return orEmpty(n.Trusted)
	case "classes":
		return append([]string{}, n.Classes...)
	case "agents":
		return append([]string{}, n.Agents...)
	case "collectives":
		return append([]string{}, n.Collectives...)
	case "warnings":
		return append([]string{}, n.Warnings...)
	case "state":
		return string(n.State)
	case "auth":
		return n.Auth
	case "interval":
		return int64(n.Interval / time.Second)
	case "lastseen":
		if n.LastSeen.IsZero() {
			return nil
		}
		return n.LastSeen.Unix()
	case "seen":
		return moment(n.LastSeen)
	default:
		return moment(n.FirstSeen)
	}
}

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
