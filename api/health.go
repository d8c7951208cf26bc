package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// readyPatience is how long a question for readiness may wait.
const readyPatience = 200 * time.Millisecond

// healthz answers as long as the process does.
func (s *Server) healthz(c echo.Context) error {
	return writeJSON(c, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers 503 with the reason while an answer would not be the whole truth.
func (s *Server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyPatience)
	defer cancel()
	checks := []Check{{Name: "registry", Ok: s.Registry.Ready}}
	if s.Held != nil {
		checks = append(checks, Check{Name: "registry", Ok: func(context.Context) error { return s.Held() }})
	}
	for _, check := range append(checks, s.Checks...) {
		err := check.Ok(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("still starting")
		}
		return fail(http.StatusServiceUnavailable, "not ready: %s: %v", check.Name, err)
	}
	return writeJSON(c, http.StatusOK, map[string]any{"status": "ready", "warnings": s.standing()})
}
