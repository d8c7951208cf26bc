package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Joiner answers those who hand in a join token. It checks the token, signs the
// request and says where the brokers are; what goes in and out is its own JSON.
type Joiner interface {
	Join(ctx context.Context, request []byte) (answer any, err error)
}

// join needs no principal: the token in the request is the proof.
func (s *Server) join(c echo.Context) error {
	if s.Joiner == nil {
		return fail(http.StatusNotFound, "nobody can join here").hint("this server has no certificate authority of its own")
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	if !json.Valid(body) {
		return fail(http.StatusBadRequest, "the body is not JSON")
	}
	answer, err := s.Joiner.Join(c.Request().Context(), body)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, answer)
}
