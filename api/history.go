package api

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// Events in one answer.
const (
	usualEvents = 1000
	mostEvents  = 10_000
)

// history lists what happened to one node, the latest events of a time.
func (s *Server) history(c echo.Context) error {
	name, values, err := s.ofNode(c, "from", "to", "limit")
	if err != nil {
		return err
	}
	from, err := s.when(values, "from")
	if err != nil {
		return err
	}
	to, err := s.when(values, "to")
	if err != nil {
		return err
	}
	limit, err := eventLimit(values)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	events := []registry.Event{}
	complete := true
	err = s.seenLife(c).History(ctx, name, from, to, func(e registry.Event) error {
		if events = append(events, e); len(events) > limit {
			events, complete = events[1:], false
		}
		return nil
	})
	if err != nil {
		return historyFailure(err)
	}
	if len(events) == 0 {
		if _, err := s.nodeNamed(c, name); err != nil {
			return err
		}
	}
	return writeJSON(c, http.StatusOK, map[string]any{"identity": name, "count": len(events), "complete": complete, "events": events})
}

// diff says what differs between a node and the same some time ago, or another.
func (s *Server) diff(c echo.Context) error {
	name, values, err := s.ofNode(c, "from", "with")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	n, err := s.nodeNamed(c, name)
	if err != nil {
		return err
	}
	out := map[string]any{"identity": n.Identity}
	changes := []registry.Change{}
	switch with, from := values["with"], values["from"]; {
	case (with == "") == (from == ""):
		return fail(http.StatusBadRequest, "one of from and with is wanted").hint("from=2h, or with=NODE")
	case with != "":
		other, err := s.nodeNamed(c, with)
		if err != nil {
			return err
		}
		out["with"] = other.Identity
		changes = append(changes, s.seenLife(c).DiffNodes(n, other)...)
	default:
		at, err := s.when(values, "from")
		if err != nil {
			return err
		}
		found, since, err := s.seenLife(c).Diff(ctx, name, at)
		if err != nil {
			return historyFailure(noNode(err, name))
		}
		changes = append(changes, found...)
		out["from"], out["since"] = at.UTC(), since.UTC()
	}
	out["count"], out["changes"] = len(changes), changes
	return writeJSON(c, http.StatusOK, out)
}

// changes lists events of all nodes after one, oldest first.
func (s *Server) changes(c echo.Context) error {
	values, err := oneOf(c, "after", "from", "to", "limit")
	if err != nil {
		return err
	}
	after, err := eventAfter(values["after"])
	if err != nil {
		return err
	}
	limit, err := eventLimit(values)
	if err != nil {
		return err
	}
	want := registry.EventRange{After: after}
	for key, bound := range map[string]*uint64{"from": &want.After, "to": &want.Until} {
		at, err := s.when(values, key)
		if err != nil {
			return err
		}
		if !at.IsZero() {
			*bound = max(*bound, uint64(max(1, at.UnixMicro())))
		}
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	events := []registry.Event{}
	err = s.seenLife(c).Events(ctx, want, func(e registry.Event) error {
		if events = append(events, e); len(events) > limit {
			return errEnough
		}
		return nil
	})
	complete := len(events) <= limit
	if err != nil && complete {
		return historyFailure(err)
	}
	events = events[:min(len(events), limit)]
	last := want.After
	if len(events) > 0 {
		last = events[len(events)-1].ID
	}
	return writeJSON(c, http.StatusOK, map[string]any{"count": len(events), "complete": complete, "last": last, "events": events})
}

// errEnough ends a walk through events.
var errEnough = fail(http.StatusOK, "enough")

// ofNode reads whom a request is about and its parameters. A node's own
// certificate reads that node only.
func (s *Server) ofNode(c echo.Context, known ...string) (name string, values map[string]string, err error) {
	if values, err = oneOf(c, known...); err != nil {
		return "", nil, err
	}
	if name, err = part(c, "identity"); err != nil {
		return "", nil, err
	}
	return name, values, itself(c, name, values["with"])
}

// itself keeps nodes from reading others.
func itself(c echo.Context, names ...string) error {
	p := principalOf(c)
	for _, name := range names {
		if p.Role == NodeRole && name != "" && !strings.EqualFold(p.Name, name) {
			return fail(http.StatusForbidden, "%s has the role node, and may not read %s", p.Name, cut(name, 60)).
				hint("a node reads itself only")
		}
	}
	return nil
}

var ageParts = regexp.MustCompile(`^(?:(\d{1,5})w)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s)?$`)

// when reads a moment: an age such as 2h or 1d12h, or a date of RFC 3339. It is
// zero where there is none.
func (s *Server) when(values map[string]string, key string) (time.Time, error) {
	text := values[key]
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	parts := ageParts.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, fail(http.StatusBadRequest, "%s must be an age such as 2h or 1d12h, or a date such as 2026-01-02T15:04:05Z, not %q", key, cut(text, 60))
	}
	age := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, err := strconv.Atoi(orWord(parts[i+1], "0"))
		if err != nil {
			return time.Time{}, fail(http.StatusBadRequest, "%s is too long ago", key)
		}
		age += time.Duration(n) * unit
	}
	return s.Now().Add(-age), nil
}

func eventLimit(values map[string]string) (int, error) {
	text := values["limit"]
	if text == "" {
		return usualEvents, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostEvents {
		return 0, fail(http.StatusBadRequest, "limit must be a whole number from 1 to %d, not %q", mostEvents, cut(text, 60))
	}
	return n, nil
}

func eventAfter(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fail(http.StatusBadRequest, "after must be the ID of an event, not %q", cut(text, 60))
	}
	return id, nil
}
