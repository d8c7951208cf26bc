package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pretend is a server that answers as it is told, and counts.
type pretend struct {
	*httptest.Server
	asked atomic.Int32
}

func pretending(t *testing.T, answer http.HandlerFunc) *pretend {
	t.Helper()
	p := &pretend{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func complains(status int, code string) http.HandlerFunc {
	return says(status, fmt.Sprintf(`{"error":{"code":%q,"message":"no"}}`, code))
}

// hangs takes a request and says nothing until whoever asked has given up.
func hangs(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then it is seen that the asker has gone
	<-r.Context().Done()
}

// breaksOff sends half an answer.
func breaksOff(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `{"count":2,"nod`)
	_ = http.NewResponseController(w).Flush() // the connection is cut next
	panic(http.ErrAbortHandler)
}

// TestClientsGoOn with the next server when one is down, refuses, loads, hangs
// or breaks off; and take the word of one that understood the question.
func TestClientsGoOn(t *testing.T) {
	const good = `{"count":1,"complete":true,"nodes":["db1"]}`
	for name, c := range map[string]struct {
		first http.HandlerFunc // nil: it is down
		want  string           // of the error; empty: the second's answer
	}{
		"down":            {nil, ""},
		"loading":         {complains(503, "unavailable"), ""},
		"fault":           {complains(500, "internal"), ""},
		"no registry":     {says(502, "<html>"), ""},
		"nonsense":        {says(200, "<html>"), ""},
		"hangs":           {hangs, ""},
		"breaks off":      {breaksOff, ""},
		"unknown token":   {complains(401, "unauthenticated"), ""},
		"other roles":     {complains(403, "forbidden"), ""},
		"too busy":        {complains(429, "too_many_requests"), ""},
		"not understood":  {complains(400, "syntax"), "no"},
		"no such node":    {complains(404, "not_found"), "no"},
		"much too large":  {complains(413, "too_large"), "no"},
		"redirects":       {says(307, ""), ""},
		"no registry 404": {says(404, "<html>"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := pretending(t, c.first), pretending(t, says(200, good))
			if c.first == nil {
				first.Close()
			}
			cl := &client{servers: []string{first.URL, second.URL}, http: &http.Client{Transport: &http.Transport{}}}
			defer cl.http.CloseIdleConnections()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			var answer searchAnswer
			err := cl.do(ctx, http.MethodPost, "/v1/search", map[string]string{"q": "a=b"}, &answer)
			switch {
			case c.want == "" && (err != nil || len(answer.Nodes) != 1):
				t.Errorf("got %+v, %v; want the second's answer", answer, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || second.asked.Load() > 0):
				t.Errorf("got %v, and the second was asked %d times; want %q from the first", err, second.asked.Load(), c.want)
			}
			if c.want != "" {
				return
			}
			before := first.asked.Load()
			if err := cl.do(ctx, http.MethodPost, "/v1/search", nil, &answer); err != nil || first.asked.Load() != before {
				t.Errorf("the next request: %v; want it to begin with the one that answered", err)
			}
		})
	}
}

// TestAllServersFail: the error names each, and is never an empty answer.
func TestAllServersFail(t *testing.T) {
	down, busy := pretending(t, hangs), pretending(t, complains(503, "unavailable"))
	down.Close()
	cl := &client{servers: []string{down.URL, busy.URL}, http: &http.Client{}}
	err := cl.do(t.Context(), http.MethodGet, "/v1/search", nil, &searchAnswer{})
	if err == nil || !strings.Contains(err.Error(), down.URL+" does not answer") || !strings.Contains(err.Error(), busy.URL+": no") {
		t.Errorf("got %v, want both named", err)
	}
	if status(classFind, err) != 3 {
		t.Errorf("status %d, want 3", status(classFind, err))
	}
	unknown := pretending(t, complains(401, "unauthenticated"))
	cl.servers = []string{unknown.URL, unknown.URL}
	if err := cl.do(t.Context(), http.MethodGet, "/v1/search", nil, &searchAnswer{}); err == nil || !strings.Contains(err.Error(), "does not know who asks") {
		t.Errorf("got %v, want the refusal", err)
	}
}
