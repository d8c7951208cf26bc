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

// Renewer gives a new certificate to who proves to hold the present one:
// [pki.Authority.Renew], with the same beside it as a Joiner's answer.
type Renewer interface {
	Renew(context.Context, pki.RenewRequest) (pki.JoinAnswer, error)
}

// join needs no principal: the token in the request is the proof.
func (s *Server) join(c echo.Context) error {
	if s.Joiner == nil {
		return fail(http.StatusNotFound, "nobody can join here").hint("this server has no certificate authority of its own")
	}
	return certify(c, s.Joiner.Join)
}

// renew needs no principal: the signature in the request is the proof.
func (s *Server) renew(c echo.Context) error {
	if s.Renewer == nil {
		return fail(http.StatusNotFound, "no certificate can be renewed here").hint("join again, or ask the authority that signed yours")
	}
	return certify(c, s.Renewer.Renew)
}

// certify reads a request for a certificate and answers it. A refusal carries
// pki's own word as its code.
func certify[R any](c echo.Context, sign func(context.Context, R) (pki.JoinAnswer, error)) error {
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	var request R
	if err := json.Unmarshal(body, &request, json.RejectUnknownMembers(true)); err != nil {
		return fail(http.StatusBadRequest, "this is no request for a certificate: %s", jsonProblem(err))
	}
	answer, err := sign(c.Request().Context(), request)
	if denied, ok := errors.AsType[*pki.Denied](err); ok {
		f := fail(http.StatusForbidden, "%s", denied.Detail)
		f.Code = denied.Reason
		return f
	}
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, answer)
}
