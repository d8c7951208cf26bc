package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"muster/registry"
)

// cursor is where an answer goes on. It holds for the question that it came
// with, and outlives restarts: the fleet may change between two pages, and a
// node that comes or goes shifts no other.
type cursor struct {
	Last  string `json:"l"` // the identity given last
	Given int    `json:"g"` // how many were given
	Of    string `json:"o"` // a hash of the question
}

// page cuts the nodes of one page out of all, and returns the cursor of the
// next page, empty where there is none.
func (a *ask) page(all []registry.Found) ([]registry.Found, string, error) {
	at := cursor{Of: a.hash()}
	if a.cursor != "" {
		var err error
		if at, err = readCursor(a.cursor); err != nil || at.Of != a.hash() {
			return nil, "", fail(http.StatusBadRequest, "the cursor does not belong to this question").
				hint("ask with the same keys as for the page before")
		}
	}
	rest := all[min(a.after(all, at), len(all)):]
	left := len(rest)
	if a.limit > 0 {
		left = min(left, a.limit-at.Given)
	}
	if left <= 0 {
		return nil, "", nil
	}
	size := min(left, pageSize)
	page := rest[:size]
	if size == left {
		return page, "", nil
	}
	return page, cursor{Last: string(page[size-1].Identity), Given: at.Given + size, Of: at.Of}.String(), nil
}

// after is the position of the first node that was not given yet.
func (a *ask) after(all []registry.Found, at cursor) int {
	if at.Given == 0 {
		return 0
	}
	last := registry.Identity(at.Last).Key()
	i := slices.IndexFunc(all, func(n registry.Found) bool { return n.Identity.Key() == last })
	switch {
	case i >= 0:
		return i + 1
	case a.sort != "": // it has gone, and its place is not known
		return at.Given
	}
	i = slices.IndexFunc(all, func(n registry.Found) bool { return n.Identity.Key() > last })
	if i < 0 {
		return len(all)
	}
	return i
}

// hash tells one question from another.
func (a *ask) hash() string {
	q := a.filters
	q.Saved = nil
	text, _ := json.Marshal([]any{q, a.fields, a.sort, a.limit, a.states, a.collectives})
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%x", sum[:6])
}

func (c cursor) String() string {
	text, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(text string) (c cursor, err error) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(plain, &c)
	if err == nil && c.Given < 1 {
		err = fmt.Errorf("a cursor comes after something")
	}
	return c, err
}
