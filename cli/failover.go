package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Patience with a server that has taken a request and says nothing.
const (
	// patience is above the longest deadline that a server gives an answer.
	patience = 40 * time.Second

	// shortPatience is what a server gets while there is another one to ask. By
	// itself a server answers, or says why not, within 5 seconds.
	shortPatience = 8 * time.Second

	// longestUpload is for what a server answers only when it has all of it.
	longestUpload = 24 * time.Hour
)

// errHangs is why a request is given up.
var errHangs = errors.New("it took the request, and says nothing")

// each gives use the servers in turn until one has answered, beginning with the
// one that did so last: one that hangs costs a caller its time once. What a
// server says of the request itself is an answer, which the others would give
// as well. No connection, a failure, or that it does not know who asks is none.
func (c *client) each(ctx context.Context, use func(server string) error) error {
	var failures []string
	var refused *apiError
	refusals := 0
	first := int(c.last.Load())
	for i := range c.servers {
		turn := (first + i) % len(c.servers)
		err := use(c.servers[turn])
		if err == nil {
			c.last.Store(int32(turn))
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status < 500 {
			if refusal.isFinal() {
				return refusal
			}
			refused, refusals = refusal, refusals+1
		}
		failures = append(failures, err.Error())
	}
	text := strings.Join(failures, "; ")
	switch {
	case refusals == len(c.servers):
		return refused
	case len(c.servers) == 1 && c.servers[0] == defaultServer:
		text += "; start one with `muster serve` or `muster demo`, or name another with --server"
	}
	return unreachable("%s", text)
}

// isFinal reports whether another server would say the same: each has tokens
// and roles of its own, and its own work. An error without a code is not a
// registry's.
func (e *apiError) isFinal() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return e.Status < 500 && e.Code != ""
}

// wait is how long a server may say nothing: no longer than leaves each of the
// others as much of the caller's time.
func (c *client) wait(ctx context.Context) time.Duration {
	if len(c.servers) == 1 {
		return patience
	}
	if end, ok := ctx.Deadline(); ok {
		return min(shortPatience, time.Until(end)/time.Duration(len(c.servers)))
	}
	return shortPatience
}

// send sends a request, and gives it up when the server does not begin to
// answer in time. The answer's body ends with the request's context, or when
// it is closed.
func (c *client) send(with *http.Client, request *http.Request, wait time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	giveUp := time.AfterFunc(wait, func() { cancel(errHangs) })
	response, err := with.Do(request.WithContext(ctx))
	giveUp.Stop()
	if err != nil {
		cancel(nil)
		if errors.Is(context.Cause(ctx), errHangs) {
			err = fmt.Errorf("%w for %v", errHangs, wait.Round(100*time.Millisecond))
		}
		return nil, err
	}
	response.Body = &endingBody{ReadCloser: response.Body, end: func() { cancel(nil) }}
	return response, nil
}

// endingBody is an answer's body that lets go of its request when closed.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
