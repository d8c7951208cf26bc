package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/internal/near"
)

// route is one row of the table: what is served, to whom, and how large a
// request may be.
type route struct {
	method, path string
	roles        []Role // who may ask
	body         int64  // most bytes of a request's body, uncompressed
	handle       echo.HandlerFunc
}

// Limits of request bodies.
const (
	maxAsk           = 1 << 20
	maxRegistrations = 8 << 20
	maxCertify       = 64 << 10
	maxWord          = 1 << 10 // where no body is wanted
	maxBackup        = 64 << 30
	maxCompressed    = 1 << 20
	maxRatio         = 100 // uncompressed to compressed
)

// neighbourPath is for registries that hear the same nodes.
const neighbourPath = "/v1/neighbour"

// table is all that the server answers.
func (s *Server) table() []route {
	anyone := []Role{Anyone}
	ask := []Role{Reader, Operator, Admin, Forwarder, Neighbour}
	oneself := []Role{Reader, Operator, Admin, Forwarder, Neighbour, NodeRole}
	look := []Role{Reader, Operator, Admin, Neighbour}
	neighbours := []Role{Neighbour, Admin}
	operate := []Role{Operator, Admin}
	admin := []Role{Admin}
	known := Roles()
	tell := []Role{Admin, Forwarder, NodeRole}
	return append(s.pdbRoutes(ask, oneself), []route{
		{"GET", "/v1/search", ask, 0, s.search},
		{"POST", "/v1/search", ask, maxAsk, s.search},
		{"GET", "/v1/nodes/:identity", oneself, 0, s.node},
		{"GET", "/v1/hiera/:certname", oneself, 0, s.hiera},
		{"GET", "/v1/facts", ask, 0, s.facts},
		{"GET", "/v1/facts/:path", ask, 0, s.values},
		{"GET", "/v1/classes", ask, 0, s.classes},
		{"GET", "/v1/parse", ask, 0, s.parse},
		{"GET", "/v1/explain", ask, 0, s.explain},
		{"GET", "/v1/why", ask, 0, s.why},
		{"GET", "/v1/complete", ask, 0, s.complete},
		{"GET", "/v1/nodes/:identity/history", oneself, 0, s.alive(s.history)},
		{"GET", "/v1/nodes/:identity/diff", oneself, 0, s.alive(s.diff)},
		{"POST", "/v1/nodes/:identity/deactivate", operate, maxWord, s.alive(s.deactivate)},
		{"POST", "/v1/nodes/:identity/reactivate", operate, maxWord, s.alive(s.reactivate)},
		{"GET", "/v1/changes", look, 0, s.alive(s.changes)},
		{"GET", "/v1/missing", ask, 0, s.missing},
		{"GET", "/v1/watch", look, 0, s.alive(s.stream)},
		{"POST", "/v1/thaw", operate, maxWord, s.alive(s.thaw)},
		{"GET", "/v1/backup", admin, 0, s.alive(s.backup)},
		{"POST", "/v1/restore", admin, maxBackup, s.alive(s.restore)},
		{"GET", neighbourPath, neighbours, 0, s.alive(s.heads)},
		{"POST", neighbourPath, neighbours, maxAsk, s.alive(s.pass)},
		{"POST", "/v1/registrations", tell, maxRegistrations, s.register},
		{"POST", "/pdb/cmd/v1", tell, maxRegistrations, s.command},
		{"GET", "/pdb/meta/v1/version", known, 0, s.pdbVersion},
		{"GET", "/pdb/meta/v1/server-time", known, 0, s.pdbTime},
		{"GET", "/status/v1/services", known, 0, s.pdbStatus},
		{"GET", "/status/v1/services/puppetdb-status", known, 0, s.pdbStatus},
		{"GET", "/v1/rejected", operate, 0, s.rejected},
		{"POST", "/v1/join", anyone, maxCertify, s.join},
		{"POST", "/v1/renew", anyone, maxCertify, s.renew},
		{"GET", "/v1/openapi.json", known, 0, s.openapi},
		{"GET", "/healthz", anyone, 0, s.healthz},
		{"GET", "/readyz", anyone, 0, s.readyz},
		{"GET", "/metrics", look, 0, s.metrics.serve},
	}...)
}

// bound limits what one request may take: the body's size, the time, and how
// many a principal has under way.
func (s *Server) bound(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p := principalOf(c)
			anyone := slices.Contains(r.roles, Anyone)
			if err := s.within(c, p, anyone); err != nil {
				return err
			}
			if !anyone {
				if !s.flights.take(p.Auth + " " + p.Name) {
					return fail(http.StatusTooManyRequests, "%s has %d requests under way already", p.Name, s.InFlight)
				}
				defer s.flights.give(p.Auth + " " + p.Name)
			}
			body, err := s.unpackers.boundBody(c.Response(), c.Request(), r.body)
			if err != nil {
				return err
			}
			defer s.unpackers.giveBack(body)
			read := &counted{ReadCloser: body}
			c.Request().Body = read
			err = next(c)
			s.rates.charge("bytes "+p.Auth+" "+p.Name, float64(read.read))
			return err
		}
	}
}

// part returns a variable part of the request's path. The router has it as it
// was sent only where that differs from what Go would send.
func part(c echo.Context, name string) (string, error) {
	text := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return text, nil
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return "", fail(http.StatusBadRequest, "the path cannot be read")
	}
	return plain, nil
}

// oneOf returns the only value of a query parameter, and refuses parameters
// that are not known.
func oneOf(c echo.Context, known ...string) (map[string]string, error) {
	out := map[string]string{}
	for key, values := range c.QueryParams() {
		if !slices.Contains(known, key) {
			return nil, unknownKey("parameter", key, known)
		}
		if len(values) > 1 {
			return nil, fail(http.StatusBadRequest, "the parameter %q is given %d times", key, len(values))
		}
		out[key] = values[0]
	}
	return out, nil
}

func unknownKey(kind, key string, known []string) *Failure {
	f := fail(http.StatusBadRequest, "unknown %s %q", kind, cut(key, 60))
	if len(known) == 0 {
		return f.hint("this route takes none")
	}
	if word, steps := near.Word(cut(key, 60), known); steps < len(key)/3+2 {
		return f.hint("did you mean %q?", word)
	}
	return f.hint("known are %s", strings.Join(known, ", "))
}
