package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// watch counts and logs every request, errors answered.
func (s *Server) watch(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		r := s.rowOf(c)
		err := s.auditable(r)
		if err == nil {
			err = next(c)
		}
		if err != nil {
			c.Error(err)
		}
		audited := s.audit(c, r, err)
		took := time.Since(start)
		route, status := r.name(), c.Response().Status
		s.metrics.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		s.metrics.durations.WithLabelValues(route).Observe(took.Seconds())
		s.access(c, route, status, took, audited)
		return nil
	}
}

// rowOf is the row of the request's route; the zero row if there is none: the
// paths that people try out must not each become a metric.
func (s *Server) rowOf(c echo.Context) route {
	for _, r := range s.routes {
		if r.path == c.Path() && r.method == c.Request().Method {
			return r
		}
	}
	return route{}
}

func (r route) name() string {
	if r.path == "" {
		return "none"
	}
	return r.method + " " + r.path
}

// access logs a request. What went well and is in the audit log already need not
// be told twice.
func (s *Server) access(c echo.Context, route string, status int, took time.Duration, audited bool) {
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case audited && status < http.StatusBadRequest:
		level = slog.LevelDebug
	}
	if !s.log.Enabled(c.Request().Context(), level) {
		return
	}
	p := principalOf(c)
	attrs := []slog.Attr{
		slog.String("request", requestID(c)), slog.String("route", route), slog.Int("status", status), slog.Duration("took", took),
		slog.Int64("bytes", c.Response().Size), slog.String("remote", c.Request().RemoteAddr),
		slog.String("principal", p.Name), slog.String("auth", p.Auth),
	}
	if p.Role == Forwarder {
		attrs = append(attrs, slog.String("for", cut(c.Request().Header.Get("Muster-Requested-By"), 255)))
	}
	s.log.LogAttrs(c.Request().Context(), level, "request", attrs...)
}
