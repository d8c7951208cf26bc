package api

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"muster/internal/pki"
)

const principalKey = "principal"

// principalOf is who asks; the zero value where the route needs nobody.
func principalOf(c echo.Context) Principal {
	p, _ := c.Get(principalKey).(Principal)
	return p
}

// authorize lets only the roles of the route's row pass.
func (s *Server) authorize(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if slices.Contains(r.roles, Anyone) {
				return next(c)
			}
			p, err := s.authenticate(c.Request())
			if err != nil {
				return err
			}
			c.Set(principalKey, p)
			if p.sight != nil && slices.Contains(entire, r.method+" "+r.path) {
				return fail(http.StatusForbidden, "%s may see a part of the registry only, and %s %s is about all of it", p.Name, r.method, r.path)
			}
			if !slices.Contains(r.roles, p.Role) {
				return fail(http.StatusForbidden, "%s has the role %s, which may not %s %s", p.Name, p.Role, r.method, r.path)
			}
			if s.Held != nil && r.path != neighbourPath {
				if err := s.Held(); err != nil {
					return fail(http.StatusServiceUnavailable, "not ready: %v", err)
				}
			}
			return next(c)
		}
	}
}

// authenticate says who asks. A token wins over a certificate, so that a
// person can act as themselves from a host that has one.
func (s *Server) authenticate(r *http.Request) (Principal, error) {
	if s.Open {
		return Principal{Name: "everybody", Role: Admin, Auth: "open"}, nil
	}
	if secret, ok := bearer(r); ok {
		return s.byToken(secret)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return s.byCertificate(r.Context(), r.TLS.VerifiedChains[0][0])
	}
	return Principal{}, fail(http.StatusUnauthorized, "this server must know who asks").
		hint("send a token (Authorization: Bearer …), or use a client certificate")
}

// bearer returns the token of a request. Other schemes are left alone: Puppet's
// own clients send an empty Basic login beside their certificate.
func bearer(r *http.Request) (string, bool) {
	scheme, secret, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer")
}

func (s *Server) byToken(secret string) (Principal, error) {
	if s.Tokens == nil {
		return Principal{}, fail(http.StatusUnauthorized, "this server takes no tokens")
	}
	t, err := s.Tokens.Check(secret)
	switch {
	case err == nil:
		p := Principal{Name: t.Name, Role: t.Role, Auth: "token " + t.Name, For: t.For}
		p.sight, err = s.sights.of(or(t.Scope, s.Scopes[string(t.Role)]))
		return p, err
	case errors.Is(err, ErrTokenMalformed), errors.Is(err, ErrTokenUnknown), errors.Is(err, ErrTokenExpired):
		return Principal{}, fail(http.StatusUnauthorized, "%v", err)
	default:
		return Principal{}, err
	}
}

// byCertificate trusts a certificate that the TLS handshake has verified. Whether
// it was revoked since is asked each time, and what else is to be known of it once
// for each connection.
func (s *Server) byCertificate(ctx context.Context, cert *x509.Certificate) (Principal, error) {
	if s.Revoked != nil && s.Revoked(cert) {
		return Principal{}, fail(http.StatusUnauthorized, "the certificate of %s was revoked", pki.NameOf(cert))
	}
	conn, _ := ctx.Value(connectionKey{}).(*connection)
	if conn != nil {
		if p := conn.holder.Load(); p != nil && p.cert == cert {
			return *p, nil
		}
	}
	p, err := s.holder(cert)
	if err == nil && conn != nil {
		conn.holder.Store(&p)
	}
	return p, err
}

// connection is what is known of a connection.
type connection struct {
	holder atomic.Pointer[Principal] // of its certificate; nil: nobody asked yet
}

type connectionKey struct{}

func withConnection(ctx context.Context) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// holder is who holds a certificate.
func (s *Server) holder(cert *x509.Certificate) (Principal, error) {
	name := pki.NameOf(cert)
	if name == "" {
		return Principal{}, fail(http.StatusUnauthorized, "the certificate carries no name")
	}
	p := Principal{Name: name, Role: roleOf(cert), Auth: "cert", cert: cert}
	if role, ok := bestFor(s.Roles, name); ok {
		p.Role = role
	}
	if patterns, ok := bestFor(s.Forwarders, name); ok {
		p.Role, p.For = Forwarder, patterns
	}
	scope, _ := bestFor(s.Scopes, name)
	var err error
	p.sight, err = s.sights.of(or(scope, s.Scopes[string(p.Role)]))
	return p, err
}

// roleOf is what a certificate says of its holder.
func roleOf(cert *x509.Certificate) Role {
	switch pki.RoleOf(cert) {
	case pki.RoleOperator:
		return Operator
	case pki.RoleRegistry:
		return Neighbour
	default:
		return NodeRole
	}
}

// bestFor is what the configuration says of a certificate's name: exactly that
// name's, else the longest pattern's that fits.
func bestFor[T any](named map[string]T, name string) (found T, ok bool) {
	name = strings.ToLower(name)
	best := ""
	for pattern, value := range named {
		lower := strings.ToLower(pattern)
		if lower == name {
			return value, true
		}
		// A path's * stops at slashes: dots take their place.
		fits, err := path.Match(strings.ReplaceAll(lower, ".", "/"), strings.ReplaceAll(name, ".", "/"))
		if err == nil && fits && (len(lower) > len(best) || len(lower) == len(best) && lower > best) {
			best, found, ok = lower, value, true
		}
	}
	return found, ok
}
