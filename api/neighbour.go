package api

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// heads sends a registry that hears the same nodes what tells one version of
// each from another.
func (s *Server) heads(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	return s.sendLines(c, func() error { return s.Life.Heads(c.Request().Context(), c.Response()) })
}

// pass sends it the nodes, or the history, that it missed.
func (s *Server) pass(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	var want registry.Wanted
	decoder := json.NewDecoder(c.Request().Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&want); err != nil {
		return fail(http.StatusBadRequest, "the request is not what another registry asks for: %v", err)
	}
	return s.sendLines(c, func() error { return s.Life.Pass(c.Request().Context(), c.Response(), want) })
}

// sendLines lets write answer. An answer that breaks off has no end in it, and
// its connection is cut besides.
func (s *Server) sendLines(c echo.Context, write func() error) error {
	if err := withoutDeadlines(http.NewResponseController(c.Response())); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentType, "application/gzip")
	err := write()
	switch {
	case err == nil:
		return nil
	case c.Response().Committed:
		s.log.Warn("an answer was not finished", "route", c.Path(), "error", err)
		panic(http.ErrAbortHandler)
	}
	return historyFailure(err)
}
