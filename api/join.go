package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"muster/internal/pki"
)

// Joiner answers those who hand in a join token: [pki.Authority.Admit], and
// beside the certificate where the brokers are. A [*pki.Denied] is a refusal.
type Joiner interface {
	Join(context.Context, pki.JoinRequest) (pki.JoinAnswer, error)
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
	var request pki.JoinRequest
	if err := json.Unmarshal(body, &request, json.RejectUnknownMembers(true)); err != nil {
		return fail(http.StatusBadRequest, "this is no request to join: %s", jsonProblem(err))
	}
	answer, err := s.Joiner.Join(c.Request().Context(), request)
	if denied, ok := errors.AsType[*pki.Denied](err); ok {
		f := fail(http.StatusForbidden, "%s", denied.Detail)
		f.Code = "denied_" + denied.Reason
		return f
	}
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, answer)
}
