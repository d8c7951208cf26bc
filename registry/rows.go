package registry

import (
	"iter"
	"slices"
	"strings"

	"muster/registry/index"
)

// row is a node of the table.
type row struct {
	head  *Head
	place index.Place // in the index; the zero value until it has it
	heard uint32      // see Head.heardAt
}

func rowOf(h *Head, at index.Place) row { return row{h, at, h.heardAt()} }

// renew makes h what the row holds.
func (n *row) renew(h *Head) { n.head, n.heard = h, h.heardAt() }

// rows are the nodes of the table by key, in runs that are short enough for a
// node to be put between others at no great cost.
type rows struct {
	runs  [][]row // none is empty
	count int
}

// longestRun is how many nodes stand in a run at most.
const longestRun = 1024

// fill makes rows of nodes in any order.
func (r *rows) fill(nodes []row) {
	slices.SortFunc(nodes, func(a, b row) int { return strings.Compare(a.head.key, b.head.key) })
	r.runs, r.count = nil, len(nodes)
	for run := range slices.Chunk(nodes, longestRun/2) {
		r.runs = append(r.runs, slices.Clone(run))
	}
}

// find returns where a key is, or where it would be: a run and a place in it.
func (r *rows) find(key string) (run, at int, found bool) {
	run, found = slices.BinarySearchFunc(r.runs, key, func(run []row, key string) int { return strings.Compare(run[0].head.key, key) })
	if found {
		return run, 0, true
	}
	if run == 0 {
		return 0, 0, false
	}
	run--
	at, found = slices.BinarySearchFunc(r.runs[run], key, func(n row, key string) int { return strings.Compare(n.head.key, key) })
	return run, at, found
}

// get returns the row of a key, nil if there is none. It holds until the next
// insert or delete.
func (r *rows) get(key string) *row {
	run, at, found := r.find(key)
	if !found {
		return nil
	}
	return &r.runs[run][at]
}

// insert adds a node that is not there.
func (r *rows) insert(n row) {
	r.count++
	if len(r.runs) == 0 {
		r.runs = [][]row{{n}}
		return
	}
	run, at, _ := r.find(n.head.key)
	all := slices.Insert(r.runs[run], at, n)
	r.runs[run] = all
	if half := len(all) / 2; len(all) > longestRun {
		r.runs[run] = slices.Clone(all[:half])
		r.runs = slices.Insert(r.runs, run+1, slices.Clone(all[half:]))
	}
}

// remove takes a node out, and reports whether it was there.
func (r *rows) remove(key string) bool {
	run, at, found := r.find(key)
	if !found {
		return false
	}
	r.count--
	if r.runs[run] = slices.Delete(r.runs[run], at, at+1); len(r.runs[run]) == 0 {
		r.runs = slices.Delete(r.runs, run, run+1)
	}
	return true
}

// all yields the nodes in order.
func (r *rows) all() iter.Seq[row] {
	return func(yield func(row) bool) {
		for _, run := range r.runs {
			for _, n := range run {
				if !yield(n) {
					return
				}
			}
		}
	}
}
