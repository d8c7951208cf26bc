package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"muster/registry"
)

// Life is what the routes about lifecycle and history need of a
// [registry.Registry].
type Life interface {
	Told
	Deactivate(ctx context.Context, id, by string) error
	Reactivate(ctx context.Context, id, by string) error
	Retire(ctx context.Context, id, by string, at time.Time) error
	Thaw()
	Backup(context.Context, io.Writer) error
	Restore(context.Context, io.ReadSeeker) (registry.Restored, error)
	Heads(context.Context, io.Writer) error
	Pass(context.Context, io.Writer, registry.Wanted) error
}

// Told is what readers are told of the past and of what happens; a [view] has to
// know each of these.
type Told interface {
	Events(context.Context, registry.EventRange, func(registry.Event) error) error
	History(ctx context.Context, id string, from, to time.Time, add func(registry.Event) error) error
	Diff(ctx context.Context, id string, from time.Time) ([]registry.Change, time.Time, error)
	DiffNodes(first, second *registry.Node) []registry.Change
	Watch(ctx context.Context, d registry.Discovery, after uint64, see func(registry.Watched) error) error
}

// alive makes of a handler one that needs the lifecycle.
func (s *Server) alive(handle echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.Life == nil {
			return fail(http.StatusNotFound, "this server keeps no history")
		}
		return handle(c)
	}
}

// deactivate takes a node out of answers; reactivate undoes it.
func (s *Server) deactivate(c echo.Context) error { return s.mark(c, s.Life.Deactivate) }
func (s *Server) reactivate(c echo.Context) error { return s.mark(c, s.Life.Reactivate) }

func (s *Server) mark(c echo.Context, change func(ctx context.Context, id, by string) error) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	name, err := part(c, "identity")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	if _, err := s.nodeNamed(c, name); err != nil {
		return err
	}
	p := principalOf(c)
	if err := change(ctx, name, orWord(p.Name, "anybody")); err != nil {
		return noNode(err, name)
	}
	n, err := s.nodeNamed(c, name)
	if err != nil {
		return err
	}
	note(c, "", 1)
	return writeJSON(c, http.StatusOK, map[string]any{"identity": n.Identity, "state": n.State})
}

func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}

func noNode(err error, name string) error {
	if errors.Is(err, registry.ErrNoNode) {
		return fail(http.StatusNotFound, "no node is called %q", cut(name, 60))
	}
	return err
}

// thaw says that the nodes for which states are frozen are gone.
func (s *Server) thaw(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	s.Life.Thaw()
	return writeJSON(c, http.StatusOK, map[string]any{"warnings": s.standing()})
}

// standing are the alarms of the lifecycle.
func (s *Server) standing() []string {
	warnings := []string{}
	stats := s.Registry.Stats()
	life := stats.Life
	if !stats.UnstoredSince.IsZero() {
		warnings = append(warnings, "nothing can be stored since "+stats.UnstoredSince.UTC().Format(time.RFC3339)+": "+stats.Unstored)
	}
	if !life.DeafSince.IsZero() {
		warnings = append(warnings, "the registry can not hear its nodes since "+life.DeafSince.UTC().Format(time.RFC3339))
	}
	if !life.FrozenSince.IsZero() {
		warnings = append(warnings, "states are frozen since "+life.FrozenSince.UTC().Format(time.RFC3339)+", because too many nodes fell silent at once")
	}
	return warnings
}

// silent is a node that does not report, and since when.
type silent struct {
	Identity    registry.Identity `json:"identity"`
	State       registry.State    `json:"state"`
	LastSeen    *time.Time        `json:"lastseen"`
	Interval    int64             `json:"interval,omitempty"` // seconds, as told or learnt
	RenamedTo   string            `json:"renamed_to,omitempty"`
	Collectives []string          `json:"collectives"`
}

// missing lists who does not report, the longest silent first. It takes the
// keys of a search; states are stale and expired unless asked for otherwise.
func (s *Server) missing(c echo.Context) error {
	a, err := s.readAsk(c)
	if err != nil {
		return err
	}
	q, err := s.understand(c, a)
	if err != nil {
		return err
	}
	if len(a.states) == 0 {
		a.states = []registry.State{registry.Stale, registry.Expired}
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	answer, err := s.seen(c).Find(ctx, registry.Discovery{
		Query: q, Collectives: a.collectives, States: a.states, Limit: a.limit, Sort: orWord(a.sort, "lastseen"),
	})
	if err != nil {
		return err
	}
	note(c, a.text(), answer.Count)
	nodes := make([]silent, len(answer.Nodes))
	for i, n := range answer.Nodes {
		nodes[i] = silent{Identity: n.Identity, State: n.State, RenamedTo: n.RenamedTo, Collectives: n.Collectives}
		if nodes[i].Interval = int64(n.Interval / time.Second); n.Interval == 0 {
			nodes[i].Interval = int64(n.Learnt / time.Second)
		}
		if !n.LastSeen.IsZero() {
			seen := n.LastSeen.UTC()
			nodes[i].LastSeen = &seen
		}
	}
	return writeJSON(c, http.StatusOK, map[string]any{
		"count": len(nodes), "total": answer.Count, "complete": answer.Complete, "nodes": nodes,
		"warnings": append(append([]string{}, answer.Warnings...), s.standing()...),
	})
}
