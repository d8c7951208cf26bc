package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"muster/registry"
)

// When a registry asks its neighbours what it missed, besides at its start and
// when it hears again.
const (
	catchUpEvery = 2 * time.Minute
	catchUpRetry = time.Second // at the start, where all neighbours are still loading
)

// startWithin is how long a registry waits at its start for a neighbour that
// can not answer yet. One that is not there is not waited for.
const startWithin = 30 * time.Second

// stalled is how long a neighbour's answer may stand still.
const stalled = 30 * time.Second

// errStalled is why an answer is given up.
var errStalled = fmt.Errorf("no more of its answer came for %v", stalled)

// neighbour is another registry that hears the same nodes. It is a
// [registry.Neighbour].
type neighbour struct {
	url    string
	client *client
}

// openNeighbours makes the ways to the other registries of a site. Each is
// shown this registry's own certificate, or a token where there is one.
func (s *site) openNeighbours() error {
	if len(s.neighbourURLs) == 0 {
		close(s.caughtUp)
	}
	if len(s.neighbourURLs) > 0 && s.store != "" {
		return usageFault("neighbours are for registries with embedded stores: those on one MongoDB follow each other through it")
	}
	for _, address := range s.neighbourURLs {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return usageFault("neighbour %q is not an address such as https://registry2.acme.net:8280", address)
		}
		if u.Scheme == "http" && !loopbackHost(u.Hostname()) {
			return usageFault("neighbour %s: off this host over https only", address)
		}
		conf := trusting(s.roots, []string{address})
		conf.GetClientCertificate = s.ownCertificate
		s.neighbours = append(s.neighbours, neighbour{address, &client{servers: []string{address}, token: s.neighbourToken, http: httpOver(conf)}})
	}
	return nil
}

// Heads implements [registry.Neighbour].
func (n neighbour) Heads(ctx context.Context) (io.ReadCloser, error) {
	return n.ask(ctx, http.MethodGet, nil)
}

// Pass implements [registry.Neighbour].
func (n neighbour) Pass(ctx context.Context, w registry.Wanted) (io.ReadCloser, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	return n.ask(ctx, http.MethodPost, body)
}

func (n neighbour) ask(ctx context.Context, method string, body []byte) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var payload io.Reader
	if body != nil {
		payload = bytes.NewReader(body)
	}
	response, err := n.client.openWithin(ctx, patience, n.url, method, "/v1/neighbour", http.Header{"Content-Type": {"application/json"}}, payload)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	s := &stallingBody{ReadCloser: response.Body, cancel: cancel}
	s.giveUp = time.AfterFunc(stalled, func() { cancel(errStalled) })
	return s, nil
}

// stallingBody is a body that is given up where no more of it comes.
type stallingBody struct {
	io.ReadCloser
	giveUp *time.Timer
	cancel context.CancelCauseFunc
}

func (s *stallingBody) Read(p []byte) (int, error) {
	s.giveUp.Reset(stalled)
	return s.ReadCloser.Read(p)
}

func (s *stallingBody) Close() error {
	s.giveUp.Stop()
	s.cancel(nil)
	return s.ReadCloser.Close()
}

// keepInStep asks the neighbours what this registry missed: before it answers
// anything, when it hears, or hears again, and now and then.
func (s *site) keepInStep(ctx context.Context) error {
	if len(s.neighbours) == 0 {
		return nil
	}
	if s.registry.Ready(ctx) == nil {
		s.catchUpAtStart(ctx)
	}
	close(s.caughtUp)
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.hears:
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		s.catchUp(ctx, false)
	}
}

// catchUpAtStart lets the registry begin with what a neighbour knows; or, where
// none can say, with what it knows itself.
func (s *site) catchUpAtStart(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for until := time.Now().Add(startWithin); ; {
		learnt, loading := s.catchUp(ctx, true)
		if learnt || ctx.Err() != nil {
			return
		}
		if !loading || time.Now().After(until) {
			s.log.Warn("no neighbour can say what was missed: starting with what is known here")
			return
		}
		select {
		case <-time.After(catchUpRetry):
		case <-ctx.Done():
		}
	}
}

// catchUp asks each neighbour, and reports whether one could say, and whether
// one can not yet.
func (s *site) catchUp(ctx context.Context, first bool) (learnt, loading bool) {
	for _, n := range s.neighbours {
		c, err := s.registry.CatchUp(ctx, n, first && !learnt)
		if ctx.Err() != nil {
			return learnt, loading
		}
		if err != nil {
			refusal, ok := errors.AsType[*apiError](err)
			loading = loading || ok && refusal.Status == http.StatusServiceUnavailable
			s.log.Warn("could not catch up from a neighbour", "neighbour", n.url, "error", err)
			continue
		}
		learnt = true
		if c.Changed > 0 || c.Events > 0 {
			s.log.Info("caught up from a neighbour", "neighbour", n.url, "nodes", c.Nodes, "changed", c.Changed, "events", c.Events)
		}
	}
	return learnt, loading
}

// held says why nothing is answered yet.
func (s *site) held() error {
	select {
	case <-s.caughtUp:
		return nil
	default:
		return errors.New("the registry is asking its neighbours what it missed")
	}
}
