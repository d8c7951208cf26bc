package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"
)

// heard measures how long ago something was, counting only time in which the
// registry could hear. It is a value: nothing in it is changed once made.
type heard struct {
	at    time.Time // ages are as of this moment
	still string    // why they will be for now, whatever the time; empty: they move on
	gaps  []gap     // when it could not hear: in order, apart from each other, before at
}

type gap struct {
	from, to time.Time
	before   time.Duration // the length of all gaps before this one
}

// maxGaps is how many gaps are remembered apart.
const maxGaps = 256

// age returns the heard time from a moment until at. It is negative for moments
// after at.
func (h *heard) age(seen time.Time) time.Duration {
	age := h.at.Sub(seen)
	if len(h.gaps) == 0 || age <= 0 {
		return age
	}
	return age - (h.deafUntil(h.at) - h.deafUntil(seen))
}

// deafUntil is the length of all gaps before a moment.
func (h *heard) deafUntil(t time.Time) time.Duration {
	i := sort.Search(len(h.gaps), func(i int) bool { return h.gaps[i].from.After(t) })
	if i == 0 {
		return 0
	}
	g := h.gaps[i-1]
	if t.After(g.to) {
		t = g.to
	}
	return g.before + t.Sub(g.from)
}

// stopped is h standing still for a reason.
func (h *heard) stopped(why string) *heard { return &heard{at: h.at, still: why, gaps: h.gaps} }

// Why ages stand still, for whoever asks for nodes.
const (
	isDeaf   = "the registry can not hear its nodes"
	isFrozen = "too many nodes fell silent at once"
)

// warnings tell an asker that states are not as of now.
func (h *heard) warnings() []string {
	if h.still == "" {
		return nil
	}
	return []string{fmt.Sprintf("states are as of %s: %s", h.at.UTC().Format(time.RFC3339), h.still)}
}

// until is h at another moment, not standing still.
func (h *heard) until(at time.Time) *heard { return &heard{at: at, gaps: h.gaps} }

// deafTo is h at a later moment, if nothing was heard from h.at until then.
func (h *heard) deafTo(at time.Time) *heard {
	if !at.After(h.at) {
		return h.until(at)
	}
	next := &heard{at: at, gaps: slices.Clone(h.gaps)}
	if last := len(next.gaps) - 1; last >= 0 && !h.at.After(next.gaps[last].to) {
		next.gaps[last].to = at
	} else {
		next.gaps = append(next.gaps, gap{from: h.at, to: at})
	}
	next.merge()
	return next
}

// with is h, not standing still, where what another registry could hear counts
// as heard as well.
func (h *heard) with(other *heard, now time.Time) *heard {
	at := latest(h.at, other.at)
	if at.After(now) {
		at = now
	}
	mine, theirs := h.deafTo(at).gaps, other.deafTo(at).gaps
	both := &heard{at: latest(at, h.at)}
	for len(mine) > 0 && len(theirs) > 0 {
		from, to := latest(mine[0].from, theirs[0].from), mine[0].to
		if theirs[0].to.Before(to) {
			to = theirs[0].to
			theirs = theirs[1:]
		} else {
			mine = mine[1:]
		}
		if from.Before(to) {
			both.gaps = append(both.gaps, gap{from: from, to: to})
		}
	}
	both.merge()
	return both
}

// merge keeps the number of gaps bounded, by making the two that are nearest to
// each other one: rather too young than too old. It counts the lengths anew.
func (h *heard) merge() {
	for len(h.gaps) > maxGaps {
		nearest := 1
		for i := 2; i < len(h.gaps); i++ {
			if h.gaps[i].from.Sub(h.gaps[i-1].to) < h.gaps[nearest].from.Sub(h.gaps[nearest-1].to) {
				nearest = i
			}
		}
		h.gaps[nearest-1].to = h.gaps[nearest].to
		h.gaps = slices.Delete(h.gaps, nearest, nearest+1)
	}
	total := time.Duration(0)
	for i := range h.gaps {
		h.gaps[i].before = total
		total += h.gaps[i].to.Sub(h.gaps[i].from)
	}
}

// keptHearing is heard as a store keeps it; times are milliseconds since 1970.
type keptHearing struct {
	Heard int64      `json:"heard"`
	Gaps  [][2]int64 `json:"gaps,omitempty"`
}

func (h *heard) marshal() ([]byte, error) {
	k := keptHearing{Heard: h.at.UnixMilli()}
	for _, g := range h.gaps {
		k.Gaps = append(k.Gaps, [2]int64{g.from.UnixMilli(), g.to.UnixMilli()})
	}
	return json.Marshal(k)
}

func parseHeard(text []byte) (*heard, error) {
	var k keptHearing
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("reading when the registry could hear: %w", err)
	}
	h := &heard{at: time.UnixMilli(k.Heard).UTC()}
	for _, g := range k.Gaps {
		h.gaps = append(h.gaps, gap{from: time.UnixMilli(g[0]).UTC(), to: time.UnixMilli(g[1]).UTC()})
	}
	h.merge()
	return h, nil
}
