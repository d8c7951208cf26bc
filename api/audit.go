package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"muster/internal/audit"
	"muster/query"
)

// Auditor keeps what was done; [audit.Log] is one.
type Auditor interface {
	Add(audit.Entry) error
	Ready() error // why what is begun now might not be kept
}

// questions are what is asked by POST: they change nothing.
var questions = []string{"/v1/search", "/pdb/query/v4", neighbourPath}

// mutates reports whether a route changes something. What nobody thought of
// does.
func mutates(r route) bool {
	return r.path != "" && r.method != http.MethodGet && !slices.ContainsFunc(questions, func(path string) bool {
		return r.path == path || strings.HasPrefix(r.path, path+"/")
	})
}

// unaudited are the routes by which nobody learns anything that matters.
var unaudited = []string{"/healthz", "/readyz", "/metrics", "/status/", "/v1/openapi.json"}

// isAudited reports whether a request to r leaves a line: what changes something
// always does, and so does who was not let in.
func (s *Server) isAudited(r route, status int) bool {
	switch {
	case s.Audit == nil:
		return false
	case mutates(r), r.path == "/v1/backup", status == http.StatusUnauthorized, status == http.StatusForbidden:
		return true
	case slices.ContainsFunc(unaudited, func(path string) bool { return strings.HasPrefix(r.path, path) }):
		return false
	}
	return s.AuditQuestions
}

// auditable refuses what could not be told of, where it has to be.
func (s *Server) auditable(r route) error {
	if !s.AuditRequired || s.Audit == nil || !s.isAudited(r, http.StatusOK) {
		return nil
	}
	if err := s.Audit.Ready(); err != nil {
		s.log.Error("a request was refused, since it could not be audited", "error", err)
		return fail(http.StatusServiceUnavailable, "nothing is done that can not be audited, and the audit log can not be written")
	}
	return nil
}

const notedKey = "noted"

// noted is what a handler tells the audit log.
type noted struct {
	asked string
	count int
}

// note tells the audit log what was asked, and how many nodes that is about.
func note(c echo.Context, asked string, count int) { c.Set(notedKey, noted{asked, count}) }

// audit writes the line of a request, once it is answered, and reports whether
// there is one.
func (s *Server) audit(c echo.Context, r route, failed error) bool {
	status := c.Response().Status
	if !s.isAudited(r, status) {
		return false
	}
	p := principalOf(c)
	n, _ := c.Get(notedKey).(noted)
	e := audit.Entry{
		Who: p.Name, Role: string(p.Role), Auth: p.Auth, From: c.RealIP(),
		What: r.method + " " + r.path, On: cut(c.Request().URL.Path, 300), Asked: s.harmless(n.asked), Count: n.count,
		Status: status, Request: requestID(c),
	}
	if p.Role == Forwarder {
		e.For = cut(c.Request().Header.Get("Muster-Requested-By"), 255)
	}
	if failed != nil {
		e.Error = failureOf(failed).Code
	}
	err := s.Audit.Add(e)
	if err != nil {
		s.metrics.unaudited.Inc()
		s.log.Error("a request is not in the audit log", "request", e.Request, "error", err)
	}
	return err == nil
}

// maxAsked is how much of a query the log keeps.
const maxAsked = 2048

// harmless is a query without what must not be kept.
func (s *Server) harmless(asked string) string {
	return s.told.of(asked, func() string {
		if s.Secret(asked) {
			return "[redacted: it is about a secret]"
		}
		if len(asked) > maxAsked {
			return strings.ToValidUTF8(asked[:maxAsked], "") + fmt.Sprintf("… (%d bytes)", len(asked))
		}
		return asked
	})
}

// told remembers how queries are told: many ask the same, and to look for secrets
// takes long.
type told struct {
	mu    sync.Mutex
	known map[string]string
}

// maxTold is how many are remembered.
const maxTold = 2048

func (t *told) of(asked string, find func() string) string {
	if len(asked) > maxAsked {
		return find()
	}
	t.mu.Lock()
	text, known := t.known[asked]
	t.mu.Unlock()
	if known {
		return text
	}
	text = find()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil || len(t.known) >= maxTold {
		t.known = map[string]string{}
	}
	t.known[asked] = text
	return text
}

// text is what a search asks, for people: bound values are left out.
func (a *ask) text() string { return filtersText(a.filters) }

func filtersText(f query.Filters) string {
	var parts []string
	add := func(name string, list ...string) {
		for _, one := range list {
			if one != "" {
				parts = append(parts, name+one)
			}
		}
	}
	add("", f.Query)
	add("with: ", f.With...)
	add("select: ", f.Select...)
	add("fact: ", f.Fact...)
	add("class: ", f.Class...)
	add("agent: ", f.Agent...)
	add("identity: ", f.Identity...)
	return strings.Join(parts, "; ")
}
