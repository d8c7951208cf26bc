package api

import (
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// kept are answers to searches that may be given again for as long as the registry
// says that they hold: of the catalogs of a fleet hundreds ask the same.
type kept struct {
	mu      sync.RWMutex
	size    int
	answers map[string]*keptAnswer // by question, as it was sent
}

type keptAnswer struct {
	basis *registry.Basis
	asked string // for the audit log
	total int
	body  []byte // JSON
}

// Limits of what is kept.
const (
	maxKept        = 16 << 20
	maxKeptAnswer  = 128 << 10
	maxKeptPlaces  = 4096
	longestKeptKey = 4 << 10
)

// keptKeyOf is under which key a request's answer is kept; false: it is not. Who
// sees a part only is told what depends on more than a basis knows of.
func keptKeyOf(c echo.Context) (key string, keepable bool) {
	r := c.Request()
	return r.URL.RawQuery, r.Method == http.MethodGet && principalOf(c).sight == nil && len(r.URL.RawQuery) <= longestKeptKey
}

// find returns an answer that holds, or nil.
func (k *kept) find(key string) *keptAnswer {
	k.mu.RLock()
	a := k.answers[key]
	k.mu.RUnlock()
	if a == nil || !a.basis.Holds() {
		return nil
	}
	return a
}

// keep keeps an answer, unless it holds no longer. When there is no more room all
// others go: those that are asked for are soon here again.
func (k *kept) keep(key string, a *keptAnswer) {
	if len(a.body) > maxKeptAnswer || !a.basis.Holds() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	size := a.size(key)
	if old := k.answers[key]; old != nil {
		k.size -= old.size(key)
	} else if k.answers == nil || len(k.answers) >= maxKeptPlaces || k.size+size > maxKept {
		k.answers, k.size = map[string]*keptAnswer{}, 0
	}
	k.answers[key] = a
	k.size += size
}

// size is how many bytes an answer takes, about.
func (a *keptAnswer) size(key string) int {
	return 200 + len(key) + len(a.asked) + len(a.body) + a.basis.Size()
}

// again answers a request as one before it, if that may be.
func (s *Server) again(c echo.Context, key string) (answered bool, err error) {
	a := s.kept.find(key)
	if a == nil {
		return false, nil
	}
	note(c, a.asked, a.total)
	return true, write(c, http.StatusOK, echo.MIMEApplicationJSON, a.body)
}
