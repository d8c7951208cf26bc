package api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
)

func order(t *testing.T, h *httptest.Server, path string) answer {
	t.Helper()
	return send(t, h, "POST", path, "", nil)
}

func tellOf(t *testing.T, r *registry.Registry, id, customer string) {
	t.Helper()
	if _, err := r.Register(t.Context(), registry.Registration{Identity: id, Facts: map[string]any{"customer": customer, "n": map[string]any{"a": customer}}}); err != nil {
		t.Fatal(err)
	}
}

func TestHistoryOverHTTP(t *testing.T) {
	r := realRegistry(t)
	h := serve(t, r)
	for _, customer := range []string{"acme", "zenith", "acme", "zenith"} {
		tellOf(t, r, "db1", customer)
	}
	tellOf(t, r, "db2", "acme")
	for path, want := range map[string]string{
		"/v1/nodes/DB1/history":                         `"complete":true,"count":4`,
		"/v1/nodes/db1/history?limit=2":                 `"complete":false,"count":2`,
		"/v1/nodes/db1/history?to=2020-01-01T00:00:00Z": `"count":0`,
		"/v1/nodes/db1/diff?with=db2":                   `"changes":[{"path":"customer","old":"zenith","new":"acme"},{"path":"n.a","old":"zenith","new":"acme"}],"count":2`,
		"/v1/nodes/db2/diff?with=db2":                   `"changes":[],"count":0`,
		"/v1/changes":                                   `"complete":true,"count":5`,
		"/v1/changes?limit=3":                           `"complete":false,"count":3`,
		"/v1/changes?after=99999999999999999":           `"count":0`,
	} {
		if a := get(t, h, path); a.status != http.StatusOK || !strings.Contains(a.text, want) {
			t.Errorf("%s answered %d %s, want %s", path, a.status, a.text, want)
		}
	}
	first := get(t, h, "/v1/changes?limit=2")
	rest := get(t, h, fmt.Sprintf("/v1/changes?after=%.0f", first.body["last"]))
	if rest.body["count"] != 3.0 {
		t.Errorf("after two of five there are %s", rest.text)
	}
	for path, want := range map[string]string{
		"/v1/nodes/nobody/history":           `404 no node is called "nobody"`,
		"/v1/nodes/db1/history?from=soon":    `400 from must be an age such as 2h`,
		"/v1/nodes/db1/history?limit=0":      `400 limit must be a whole number`,
		"/v1/nodes/db1/diff":                 `400 one of from and with`,
		"/v1/nodes/db1/diff?from=2h&with=x":  `400 one of from and with`,
		"/v1/nodes/db1/diff?with=x":          `404 no node is called "x"`,
		"/v1/changes?after=x":                `400 after must be the ID`,
		"/v1/watch?q=changed+os+within+1d":   `400 column 1: this can not be watched`,
		"/v1/watch?after=17&q=customer=acme": `410 the events after that one`,
	} {
		if a := get(t, h, path); !strings.HasPrefix(fmt.Sprint(a.status, " ", a.errorText()), want) {
			t.Errorf("%s answered %d %s, want %s", path, a.status, a.text, want)
		}
	}
}

func TestMissingAndDeactivate(t *testing.T) {
	r := realRegistry(t, registry.Registration{Identity: "old", Source: registry.Import, Seen: time.Now().Add(-30 * 24 * time.Hour)},
		registry.Registration{Identity: "late", Source: registry.Import, Seen: time.Now().Add(-24 * time.Hour)},
		registry.Registration{Identity: "here", Interval: 5 * time.Minute})
	h := serve(t, r)
	a := get(t, h, "/v1/missing")
	if names := identities(a); names != "old late" || !strings.Contains(a.text, `"state":"expired"`) || a.body["total"] != 2.0 {
		t.Errorf("missing are %q: %s", names, a.text)
	}
	if a := get(t, h, "/v1/missing?identity=late"); identities(a) != "late" {
		t.Errorf("of those named late: %s", a.text)
	}
	if a := order(t, h, "/v1/nodes/HERE/deactivate"); a.status != http.StatusOK || !strings.Contains(a.text, `"state":"deactivated"`) {
		t.Errorf("deactivating answered %d %s", a.status, a.text)
	}
	if a := get(t, h, "/v1/search?identity=here"); len(names(t, a)) != 0 {
		t.Errorf("deactivated, it is found: %s", a.text)
	}
	if a := get(t, h, "/v1/nodes/here"); !strings.Contains(a.text, `"deactivated":{"at":`) {
		t.Errorf("the node is %s", a.text)
	}
	if a := order(t, h, "/v1/nodes/here/reactivate"); a.status != http.StatusOK || !strings.Contains(a.text, `"state":"active"`) {
		t.Errorf("reactivating answered %d %s", a.status, a.text)
	}
	if a := order(t, h, "/v1/nodes/nobody/deactivate"); a.status != http.StatusNotFound {
		t.Errorf("deactivating nobody answered %d %s", a.status, a.text)
	}
	r.Hearing(false)
	if a := get(t, h, "/readyz"); a.status != http.StatusOK || !strings.Contains(a.text, "can not hear its nodes since") {
		t.Errorf("deaf, readyz answered %d %s", a.status, a.text)
	}
	if a := get(t, h, "/metrics"); !strings.Contains(a.text, `muster_states_stand_still{why="deaf"} 1`) || !strings.Contains(a.text, `{why="frozen"} 0`) {
		t.Errorf("metrics are %s", a.text)
	}
}

func identities(a answer) string {
	var out []string
	list, _ := a.body["nodes"].([]any)
	for _, n := range list {
		node, _ := n.(map[string]any)
		out = append(out, fmt.Sprint(node["identity"]))
	}
	return strings.Join(out, " ")
}

// events reads server-sent events.
type events struct {
	lines *bufio.Scanner
	id    string
	close func()
}

func follow(t *testing.T, h *httptest.Server, path, after string) *events {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := h.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("watching answered %s, %s", res.Status, kind)
	}
	e := &events{lines: bufio.NewScanner(res.Body), close: func() { cancel(); res.Body.Close() }}
	t.Cleanup(e.close)
	if got := e.next(t); got != "began {}" {
		t.Fatalf("it begins with %s", got)
	}
	return e
}

// next returns the kind and the data of an event.
func (e *events) next(t *testing.T) string {
	t.Helper()
	kind := ""
	for e.lines.Scan() {
		key, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch key {
		case "id":
			e.id = value
		case "event":
			kind = value
		case "data":
			return kind + " " + value
		}
	}
	t.Fatalf("the stream ended: %v", e.lines.Err())
	return ""
}

func TestWatchOverHTTP(t *testing.T) {
	r := realRegistry(t)
	h := serve(t, r)
	tellOf(t, r, "db1", "zenith")
	e := follow(t, h, "/v1/watch?q=customer=acme", "")
	tellOf(t, r, "db2", "zenith")
	tellOf(t, r, "db1", "acme")
	if got := e.next(t); !strings.HasPrefix(got, `enter {`) || !strings.Contains(got, `"identity":"db1"`) || !strings.Contains(got, `{"path":"customer","old":"zenith","new":"acme"}`) {
		t.Errorf("got %s", got)
	}
	e.close()
	tellOf(t, r, "db1", "zenith")
	tellOf(t, r, "db3", "acme")
	again := follow(t, h, "/v1/watch?q=customer=acme", e.id)
	if got := again.next(t); !strings.HasPrefix(got, "leave") || !strings.Contains(got, `"db1"`) {
		t.Errorf("resumed: %s", got)
	}
	if got := again.next(t); !strings.HasPrefix(got, "enter") || !strings.Contains(got, `"db3"`) {
		t.Errorf("resumed: %s", got)
	}
}

func TestBackupOverHTTP(t *testing.T) {
	from := realRegistry(t)
	for i := range 100 {
		tellOf(t, from, fmt.Sprint("n", i), "acme")
	}
	whole := get(t, serve(t, from), "/v1/backup")
	if whole.status != http.StatusOK || whole.head.Get("Content-Type") != "application/gzip" {
		t.Fatalf("backup answered %d %v", whole.status, whole.head)
	}
	to := realRegistry(t)
	h := serve(t, to)
	if a := send(t, h, "POST", "/v1/restore", whole.text[:len(whole.text)/2], nil); a.status != http.StatusBadRequest || !strings.Contains(a.errorText(), "reading the backup: line") {
		t.Errorf("half of it answered %d %s", a.status, a.text)
	}
	if a := send(t, h, "POST", "/v1/restore", whole.text, nil); a.status != http.StatusOK || !strings.Contains(a.text, `"nodes":100,"changed":100,"events":100`) {
		t.Errorf("restoring answered %d %s", a.status, a.text)
	}
	if a := get(t, h, "/v1/search?q=customer=acme"); a.body["count"] != 100.0 {
		t.Errorf("after it: %.200s", a.text)
	}
	var direct bytes.Buffer
	if err := to.Backup(t.Context(), &direct); err != nil || direct.Len() == 0 {
		t.Errorf("%d bytes, %v", direct.Len(), err)
	}
}

// noLife is a lifecycle of a store that keeps no history.
type noLife struct{}

func (noLife) Events(context.Context, registry.EventRange, func(registry.Event) error) error {
	return registry.ErrNoHistory
}

func (noLife) History(context.Context, string, time.Time, time.Time, func(registry.Event) error) error {
	return registry.ErrNoHistory
}

func (noLife) Diff(context.Context, string, time.Time) ([]registry.Change, time.Time, error) {
	return nil, time.Time{}, registry.ErrNoHistory
}

func (noLife) DiffNodes(_, _ *registry.Node) []registry.Change { return nil }

func (noLife) Watch(context.Context, registry.Discovery, uint64, func(registry.Watched) error) error {
	return registry.ErrNoHistory
}
func (noLife) Deactivate(context.Context, string, string) error        { return registry.ErrNoNode }
func (noLife) Reactivate(context.Context, string, string) error        { return registry.ErrNoNode }
func (noLife) Retire(context.Context, string, string, time.Time) error { return nil }
func (noLife) Thaw()                                                   {}
func (noLife) Backup(context.Context, io.Writer) error                 { return registry.ErrLoading }
func (noLife) Heads(context.Context, io.Writer) error                  { return nil }
func (noLife) Pass(context.Context, io.Writer, registry.Wanted) error  { return nil }
func (noLife) Restore(context.Context, io.ReadSeeker) (registry.Restored, error) {
	return registry.Restored{}, registry.ErrLoading
}

// TestWithoutHistory: a store that keeps none is no reason for an empty list.
func TestWithoutHistory(t *testing.T) {
	h := serveConfig(t, api.Config{Registry: &fake{nodes: fleet()}, Life: noLife{}, Open: true})
	for _, path := range []string{"/v1/nodes/db1.acme.net/history", "/v1/nodes/db1.acme.net/diff?from=2h", "/v1/changes", "/v1/watch?q=customer=acme"} {
		if a := get(t, h, path); a.status != http.StatusNotFound || !strings.Contains(a.errorText(), "keeps no history") {
			t.Errorf("%s answered %d %s", path, a.status, a.text)
		}
	}
	if a := get(t, h, "/v1/backup"); a.status != http.StatusServiceUnavailable || a.head.Get("Content-Disposition") != "" {
		t.Errorf("a backup that fails answered %d %v", a.status, a.head)
	}
}

// TestShutdownEndsWatchers: an open stream does not keep the server up.
func TestShutdownEndsWatchers(t *testing.T) {
	s, err := api.New(api.Config{Registry: realRegistry(t), Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	response, err := http.Get("http://" + l.Addr().String() + "/v1/watch?q=customer=acme")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	began := time.Now()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("shutting down took %v", took)
	}
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "event: began") {
		t.Errorf("the stream was %q, %v", text, err)
	}
}
