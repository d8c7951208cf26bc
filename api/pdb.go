package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"muster/puppetfunc/pdb"
	"muster/registry"
)

// command takes what a Puppet server sends to a PuppetDB. It answers when what
// the command says is stored; commands about what is not held here are
// accepted, so that the server's run goes on.
func (s *Server) command(c echo.Context) error {
	p := principalOf(c)
	body, err := readBody(c.Request())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	cmd, err := pdb.Open(c.QueryParams(), body)
	if err != nil {
		return s.refuse(c, err)
	}
	known, err := s.saidBefore(ctx, p, cmd)
	if !known {
		if err = cmd.Read(); err == nil {
			err = p.speaksFor(cmd.Certname)
		}
		if err != nil {
			return s.refuse(c, err)
		}
		err = s.obey(ctx, p, cmd)
	}
	if err != nil {
		if refusal, ok := errors.AsType[*registry.Refusal](err); ok { // recorded by the registry
			return refusalFailure(refusal)
		}
		return fmt.Errorf("%s of %s was not stored: %w", cmd.Name, cmd.Certname, err)
	}
	answer := map[string]any{"uuid": newUUID()}
	if c.QueryParams().Has("secondsToWaitForCompletion") {
		answer["processed"], answer["timed_out"] = true, false
	}
	return writeJSON(c, http.StatusOK, answer)
}

// saidBefore takes a command that says what the one before it did, but for what
// moves all the time. Such a command is not read.
func (s *Server) saidBefore(ctx context.Context, p Principal, cmd *pdb.Command) (known bool, err error) {
	reg, ok := cmd.Skim()
	if !ok || p.speaksFor(cmd.Certname) != nil {
		return false, nil
	}
	reg.Auth = p.vouches()
	trusted := p.trusts(&reg)
	if _, known, err = s.Registry.Repeated(ctx, reg); known && err == nil { // the trusted facts may be others
		err = s.trust(ctx, reg, trusted)
	}
	return known, err
}

// obey stores what a command says. That something newer is known already is no
// mistake of the sender's.
func (s *Server) obey(ctx context.Context, p Principal, cmd *pdb.Command) error {
	if !cmd.Held() {
		s.log.Debug("a command was accepted that says nothing which is held here", "command", cmd.Name, "version", cmd.Version, "node", cmd.Certname, "from", p.Name)
		return nil
	}
	if cmd.Name == pdb.DeactivateNode {
		return s.retire(ctx, p, cmd)
	}
	for _, reg := range cmd.Registrations {
		reg.Auth = p.vouches()
		trusted := p.trusts(&reg)
		_, err := s.Registry.Register(ctx, reg)
		if refusal, ok := errors.AsType[*registry.Refusal](err); ok && refusal.Reason == registry.ReasonOlder {
			continue // counted by the registry
		}
		if err == nil && reg.Source == registry.PuppetFacts {
			err = s.trust(ctx, reg, trusted)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retire takes a node out of answers until it is heard of again. A node that is
// not known is out of them as it is.
func (s *Server) retire(ctx context.Context, p Principal, cmd *pdb.Command) error {
	if s.Life == nil {
		return errors.New("this server keeps no lifecycle")
	}
	err := s.Life.Retire(ctx, cmd.Certname, orWord(p.Name, "anybody"), cmd.Produced)
	if errors.Is(err, registry.ErrNoNode) {
		return nil
	}
	return err
}

// refuse records a registration that was not accepted, if that is what err
// says, and answers with it.
func (s *Server) refuse(c echo.Context, err error) error {
	refusal, ok := errors.AsType[*registry.Refusal](err)
	if !ok {
		return err
	}
	refusal.From, refusal.At = from(c), s.Now()
	s.Registry.Refuse(*refusal)
	return refusalFailure(refusal)
}

func refusalFailure(r *registry.Refusal) *Failure {
	f := fail(http.StatusBadRequest, "refused: %s", r.Detail)
	f.Code = r.Reason
	return f
}

// newUUID is a random one, as PuppetDB's clients log it.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// pdbVersion is the version of the interface that is spoken.
const pdbVersion = "7.12.1"

func (s *Server) pdbVersion(c echo.Context) error {
	return writeJSON(c, http.StatusOK, map[string]string{"version": pdbVersion})
}

func (s *Server) pdbTime(c echo.Context) error {
	return writeJSON(c, http.StatusOK, map[string]string{"server_time": s.Now().UTC().Format(pdb.TimeFormat)})
}

// pdbStatus is the state of the services of a PuppetDB: of one, which runs
// while the registry can answer.
func (s *Server) pdbStatus(c echo.Context) error {
	state, status := "running", http.StatusOK
	ctx, cancel := context.WithTimeout(c.Request().Context(), readyPatience)
	defer cancel()
	up := s.Registry.Ready(ctx) == nil
	if !up {
		state, status = "starting", http.StatusServiceUnavailable
	}
	return writeJSON(c, status, map[string]any{"puppetdb-status": map[string]any{
		"service_version": pdbVersion, "service_status_version": 1, "detail_level": "info", "state": state, "active_alerts": []string{},
		"status": map[string]any{"maintenance_mode?": !up, "queue_depth": 0, "read_db_up?": up, "write_db_up?": up, "rejecting_writes_due_to_health": false},
	}})
}
