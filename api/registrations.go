package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// verdict is the answer to one registration. Accepted means that it is stored.
type verdict struct {
	Line     int      `json:"line"`
	Identity string   `json:"identity"`
	Accepted bool     `json:"accepted"`
	Changed  bool     `json:"changed,omitempty"`
	Next     int      `json:"next,omitempty"`   // seconds until the registry wants to hear from the node again
	Reason   string   `json:"reason,omitempty"` // a stable word
	Detail   string   `json:"detail,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// verdicts is the answer to a body of registrations.
type verdicts struct {
	Accepted int       `json:"accepted"`
	Refused  int       `json:"refused"`
	Error    *Failure  `json:"error,omitempty"` // why the rest was not looked at, or nothing accepted
	Results  []verdict `json:"results"`
}

// register reads registrations, one a line, and stores each before it reads
// the next. It answers 200 if all were accepted, 207 if some were, and with a
// failure if none was, or if it had to stop: the results say how far it got.
func (s *Server) register(c echo.Context) error {
	out := verdicts{Results: []verdict{}}
	number := 0
	err := eachRegistration(c.Request(), func(body []byte) error {
		number++
		v, err := s.registerOne(c, body)
		if err != nil {
			return err
		}
		v.Line = number
		if v.Accepted {
			out.Accepted++
		} else {
			out.Refused++
		}
		out.Results = append(out.Results, v)
		return nil
	})
	note(c, "", out.Accepted)
	status := http.StatusOK
	switch {
	case err != nil:
		out.Error = failureOf(err)
	case number == 0:
		out.Error = fail(http.StatusBadRequest, "there is no registration in the body")
	case out.Accepted == 0:
		first := out.Results[0]
		out.Error = fail(http.StatusBadRequest, "refused: %s", first.Detail)
		out.Error.Code = first.Reason
	case out.Refused > 0:
		status = http.StatusMultiStatus
	}
	if out.Error != nil {
		status = out.Error.status
	}
	return writeJSON(c, status, out)
}

// registerOne stores one registration. The error means that it could not be
// judged, as opposed to refused.
func (s *Server) registerOne(c echo.Context, body []byte) (verdict, error) {
	p := principalOf(c)
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	if p.Role == NodeRole { // of others only the body tells who they speak of
		proven := registry.Registration{Identity: p.Name, Source: registry.Daemon, Auth: p.Auth, Body: body}
		if receipt, known, err := s.Registry.Repeated(ctx, proven); known {
			if err == nil { // the certificate may be a new one
				err = s.trust(ctx, proven, p.trusts(&proven))
			}
			return accepted(proven, receipt, err)
		}
	}
	reg, err := registry.DecodeRegistration(body)
	reg.Body = body
	if err == nil {
		err = vouch(p, &reg)
	}
	if refusal, ok := errors.AsType[*registry.Refusal](err); ok {
		refusal.From, refusal.At = from(c), s.Now()
		s.Registry.Refuse(*refusal)
		return refused(refusal), nil
	}
	if err != nil {
		return verdict{}, err
	}
	trusted := p.trusts(&reg)
	receipt, err := s.Registry.Register(ctx, reg)
	if refusal, ok := errors.AsType[*registry.Refusal](err); ok {
		return refused(refusal), nil
	}
	if err == nil {
		err = s.trust(ctx, reg, trusted)
	}
	return accepted(reg, receipt, err)
}

// trust stores the trusted facts that came with a registration; nil: none did.
func (s *Server) trust(ctx context.Context, reg registry.Registration, facts map[string]any) error {
	if facts == nil {
		return nil
	}
	reg.Facts = facts
	return s.Registry.Trust(ctx, reg)
}

func accepted(reg registry.Registration, receipt registry.Receipt, err error) (verdict, error) {
	if err != nil {
		return verdict{}, fmt.Errorf("%s was not stored: %w", reg.Identity, err)
	}
	return verdict{
		Identity: reg.Identity, Accepted: true, Changed: receipt.Changed,
		Next: int(receipt.Next.Seconds()), Warnings: receipt.Warnings,
	}, nil
}

// from is who sent a request, as refusals are listed.
func from(c echo.Context) string {
	return strings.TrimSpace(principalOf(c).Name + " " + c.RealIP())
}

// vouch puts into a registration who has proven what: a node speaks for
// itself, a forwarder for others, and an administrator brings documents.
func vouch(p Principal, reg *registry.Registration) error {
	if reg.Identity == "" && p.Role == NodeRole {
		reg.Identity = p.Name
	}
	reg.Source, reg.Auth = registry.Daemon, p.vouches()
	if p.Role != NodeRole && p.Role != Forwarder {
		reg.Source = registry.Import
	}
	return p.speaksFor(reg.Identity)
}

// vouches is how the identity of a node is proven of which a principal speaks.
func (p Principal) vouches() string {
	switch {
	case p.Role == Forwarder:
		return "forwarder " + p.Name
	case p.Auth == "open":
		return ""
	}
	return p.Auth
}

func refused(r *registry.Refusal) verdict {
	return verdict{Identity: cut(r.Identity, registry.MaxIdentity), Reason: r.Reason, Detail: r.Detail}
}

// eachRegistration hands over one line after the other; a body whose first
// line is no whole document, and which is not said to be NDJSON, is one
// document.
func eachRegistration(r *http.Request, one func([]byte) error) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	lines := bufio.NewReader(r.Body)
	for first := true; ; {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case first && !strings.Contains(kind, "ndjson") && !json.Valid(line):
			rest, err := io.ReadAll(lines)
			if err != nil {
				return err
			}
			return one(append(append(line, '\n'), rest...))
		default:
			first = false
			if err := one(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// rejected lists the registrations that were refused last, newest first.
func (s *Server) rejected(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	list := s.Registry.Rejected()
	if list == nil {
		list = []registry.Refusal{}
	}
	return writeJSON(c, http.StatusOK, map[string]any{"count": len(list), "rejected": list})
}
