package registry

import (
	"cmp"
	"compress/gzip"
	"context"
	"io"
)

// Wanted is what a registry asks a neighbour for, having seen its heads.
type Wanted struct {
	Nodes []string `json:"nodes,omitempty"` // the identities of nodes; one that is not there is left out

	// Events between two IDs are wanted, the second one included. Zero: none are.
	After uint64 `json:"after,omitempty"`
	Until uint64 `json:"until,omitempty"`
}

// Heads writes, for a neighbour that wants to know what it missed, of each node
// what tells one version from another: sections without what they say. The
// form is that of a backup.
func (r *Registry) Heads(ctx context.Context, w io.Writer) error {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return err
	}
	last := r.events.position()
	return r.writeLines(ctx, w, lines{kind: kindHeads, level: gzip.BestSpeed, last: last, nodes: r.table.all(), write: (*Head).bare})
}

// Pass writes what a neighbour wants, in the form of a backup. The error is
// [ErrNoHistory] if it wants events, and there are none.
func (r *Registry) Pass(ctx context.Context, w io.Writer, want Wanted) error {
	if err := cmp.Or(r.usable(), r.needsMemory()); err != nil {
		return err
	}
	l := lines{kind: kindBackup, level: gzip.BestSpeed, write: (*Head).node}
	if want.Until > 0 {
		if _, ok := r.store.(Journal); !ok {
			return ErrNoHistory
		}
		l.events = EventRange{After: want.After, Until: want.Until}
	}
	for _, name := range want.Nodes {
		if n := r.table.head(Identity(name).Key()); n != nil {
			l.nodes = append(l.nodes, n)
		}
	}
	return r.writeLines(ctx, w, l)
}

// bare is a node without what its sections say. The registry's own marks say
// no more than that.
func (h *Head) bare() *Node {
	n := &Node{Identity: h.Identity, FirstSeen: h.FirstSeen, Sections: make(map[Source]*Section, len(h.parts))}
	for i := range h.parts {
		p := &h.parts[i]
		n.Sections[p.source] = &Section{Auth: p.auth, Sequence: p.sequence, Sent: p.sent, Received: p.received, Hash: p.hash}
	}
	return n
}
