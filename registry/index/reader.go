package index

import "muster/query"

// Reader puts together what is known of nodes as far as some paths look at it,
// which is a fraction of what it takes to have all of a node.
type Reader struct {
	ix   *Index
	look look
}

// Reader returns a reader of what paths lead to.
func (ix *Index) Reader(paths []query.Path) *Reader {
	l := look{facts: map[string]bool{}, fields: map[string]bool{}}
	for _, p := range paths {
		l.at(p)
	}
	return &Reader{ix, l}
}

// Document returns a node's document, in which there is at least what the paths
// lead to. It shares no memory with the index. It is nil where the node is not
// there, or where not all of that is kept.
func (r *Reader) Document(identity string) *query.Document {
	key := keyOf(identity)
	s := r.ix.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	slot, ok := s.find(key)
	if !ok {
		return nil
	}
	doc, known := s.document(slot, r.look)
	if !known {
		return nil
	}
	doc.Identity = identity
	for _, m := range []*map[string]any{&doc.Facts, &doc.Trusted, &doc.Extra} {
		if *m != nil {
			*m, _ = detached(*m).(map[string]any)
		}
	}
	return doc
}

// look is what of a document is looked at.
type look struct {
	facts  map[string]bool // top-level facts; nil: all
	fields map[string]bool // of paths; nil: all
}

// at adds what a path looks at.
func (l *look) at(p query.Path) {
	switch {
	case p.Field == "fact", p.Field == "contents", p.Field == "facts" && (len(p.Steps) == 0 || p.Steps[0].Kind != "name"):
		l.facts = nil
	case p.Field == "facts" && l.facts != nil:
		l.facts[p.Steps[0].Key], l.facts[p.Flat] = true, true
	}
	if l.fields != nil {
		l.fields[p.Field] = true
	}
}

func (l *look) wants(field string) bool { return l.fields == nil || l.fields[field] }
