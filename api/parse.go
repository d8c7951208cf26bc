package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"muster/query"
)

// parsed is what a text was understood as; it is an answer too where it was not.
type parsed struct {
	OK      bool     `json:"ok"`
	Tree    string   `json:"tree,omitempty"`
	Dialect string   `json:"dialect"`
	Error   *Failure `json:"error,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

func (s *Server) parse(c echo.Context) error {
	q, err := s.readQuery(c)
	if syn, ok := errors.AsType[*query.SyntaxError](err); ok {
		return writeJSON(c, http.StatusOK, parsed{Dialect: string(syn.Dialect), Error: syntaxFailure(syn)})
	}
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, parsed{
		OK: true, Tree: query.Tree(q.Filter), Dialect: string(q.Dialect), Warnings: s.advice(c).Warnings(q),
	})
}

// explained is a query in words, and as the other dialects would say it.
type explained struct {
	Dialect  string             `json:"dialect"`
	Words    string             `json:"words"`
	Tree     string             `json:"tree"`
	Dialects map[string]spelled `json:"dialects"`
	Warnings []string           `json:"warnings,omitempty"`
}

// spelled is a query in one dialect, or why it cannot be said there.
type spelled struct {
	Text string `json:"text,omitempty"`
	Why  string `json:"why,omitempty"`
}

func (s *Server) explain(c echo.Context) error {
	q, err := s.readQuery(c)
	if err != nil {
		return err
	}
	out := explained{Dialect: string(q.Dialect), Words: query.Words(q.Filter), Tree: query.Tree(q.Filter), Dialects: map[string]spelled{}}
	out.Warnings = s.advice(c).Warnings(q)
	for _, d := range query.Dialects() {
		if d == "auto" {
			continue
		}
		text, err := query.Format(q, d)
		if err != nil {
			out.Dialects[string(d)] = spelled{Why: err.Error()}
			continue
		}
		out.Dialects[string(d)] = spelled{Text: text}
	}
	return writeJSON(c, http.StatusOK, out)
}

// readQuery reads q and dialect.
func (s *Server) readQuery(c echo.Context) (*query.Query, error) {
	asked, err := oneOf(c, "q", "dialect")
	if err != nil {
		return nil, err
	}
	dialect, err := query.ParseDialect(asked["dialect"])
	if err != nil {
		return nil, fail(http.StatusBadRequest, "%v", err)
	}
	q, err := query.Parse(asked["q"], query.Options{Dialect: dialect, Saved: s.Saved})
	return q, err
}
