package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/query"
)

// Failure is an answer that is none, as it goes over the wire under "error".
type Failure struct {
	Code    string `json:"code"` // a stable word for programs
	Message string `json:"message"`

	// Where a query was not understood: Start and End count bytes of Text.
	Start   *int   `json:"start,omitempty"`
	End     *int   `json:"end,omitempty"`
	Hint    string `json:"hint,omitempty"`
	Text    string `json:"text,omitempty"` // the query, where several texts could be meant
	Dialect string `json:"dialect,omitempty"`

	Request string `json:"request,omitempty"` // the request's name in the server's log

	status int
	wait   string // seconds after which to come again; empty: 1
}

func (f *Failure) Error() string { return f.Message }

// fail makes a failure; the codes are named by status so that they stay few.
func fail(status int, format string, args ...any) *Failure {
	return &Failure{Code: codeOf(status), Message: fmt.Sprintf(format, args...), status: status}
}

func (f *Failure) hint(format string, args ...any) *Failure {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "not_understood"
	case http.StatusUnauthorized:
		return "unauthenticated"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_encoding"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	case http.StatusServiceUnavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// failureOf says in the terms of HTTP what err is. What nobody foresaw is
// unavailable: the asker may come again, and must not take it for "no nodes".
func failureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if syn, ok := errors.AsType[*query.SyntaxError](err); ok {
		return syntaxFailure(syn)
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		return routerFailure(he)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fail(http.StatusRequestEntityTooLarge, "the request is larger than it may be")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(http.StatusServiceUnavailable, "the query took longer than it may").
			hint("narrow it, by an equality or a class, or ask again")
	}
	return fail(http.StatusServiceUnavailable, "%v", err)
}

// syntaxFailure keeps apart what SyntaxError.Error says in one line, so that a
// client can say it in its own way.
func syntaxFailure(syn *query.SyntaxError) *Failure {
	f := fail(http.StatusBadRequest, "column %d: %s", syn.Column(), syn.Problem)
	f.Code = "syntax"
	if syn.Want != "" {
		f.Message += "; want " + syn.Want
	}
	f.Hint = syn.Hint
	if syn.Suggestion != "" {
		f.Hint = strings.TrimPrefix(f.Hint+"; did you mean: "+syn.Suggestion, "; ")
	}
	f.Start, f.End = &syn.Offset, &syn.End
	f.Text, f.Dialect = syn.Text, string(syn.Dialect)
	return f
}

func routerFailure(he *echo.HTTPError) *Failure {
	switch he.Code {
	case http.StatusNotFound:
		return fail(he.Code, "there is no such route").hint("the routes begin with /v1/")
	case http.StatusMethodNotAllowed:
		return fail(he.Code, "this route does not know that method")
	default:
		return fail(he.Code, "%v", he.Message)
	}
}

// answerFailure is echo's error handler.
func (s *Server) answerFailure(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	told := *failureOf(err) // a copy: some failures are shared
	f := &told
	f.Request = requestID(c)
	if f.status == http.StatusUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="muster"`)
	}
	if f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable {
		c.Response().Header().Set(echo.HeaderRetryAfter, orWord(f.wait, "1"))
	}
	answer := func() error { return writeJSON(c, f.status, map[string]*Failure{"error": f}) }
	if strings.HasPrefix(c.Request().URL.Path, pdbPath) {
		answer = func() error { return s.answerPDBFailure(c, f) }
	}
	if err := answer(); err != nil {
		s.log.Debug("an error was not delivered", "error", err)
	}
}
