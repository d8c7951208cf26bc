package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/internal/pki"
	"muster/registry"
)

// A page of another site, or another name for loopback, gets nothing.
func TestBrowsersAreKeptOut(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	for _, test := range []struct {
		name, method string
		head         http.Header
		status       int
	}{
		{"by address", "GET", nil, 200},
		{"by name", "GET", http.Header{"Host": {"localhost:8280"}}, 200},
		{"IPv6", "GET", http.Header{"Host": {"[::1]:8280"}}, 200},
		{"rebound name", "GET", http.Header{"Host": {"evil.example.net:8280"}}, 403},
		{"name that looks like it", "GET", http.Header{"Host": {"localhost.evil.net"}}, 403},
		{"address that looks like it", "GET", http.Header{"Host": {"127.0.0.1.evil.net"}}, 403},
		{"another site's page writes", "POST", http.Header{"Origin": {"https://evil.example.net"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"an old browser's page writes", "POST", http.Header{"Origin": {"https://evil.example.net"}}, 403},
		{"our own page writes", "POST", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{"a program writes", "POST", nil, 200},
	} {
		a := send(t, h, test.method, "/v1/search", map[string]string{"POST": "{}"}[test.method], test.head)
		if a.status != test.status {
			t.Errorf("%s answered %d %s, want %d", test.name, a.status, a.text, test.status)
		}
	}
}

func TestErrorsAreJSON(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	for _, test := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "not_found"},
		{"GET", "/v2/search", 404, "not_found"},
		{"GET", "/v1/nodes/nobody", 404, "not_found"},
		{"GET", "/v1/nodes/a%0ab", 404, "not_found"},
		{"DELETE", "/v1/search", 405, "method_not_allowed"},
		{"GET", "/v1/rejected?x=1", 400, "not_understood"},
		{"GET", "/v1/nodes/web1.acme.net?fields=x", 400, "not_understood"},
		{"POST", "/v1/join", 404, "not_found"},
	} {
		a := send(t, h, test.method, test.path, "", nil)
		if a.status != test.status || a.errorCode() != test.code {
			t.Errorf("%s %s answered %d %q, want %d %s", test.method, test.path, a.status, a.text, test.status, test.code)
		}
	}
}

func TestReadiness(t *testing.T) {
	broker := errors.New("connection refused")
	for _, test := range []struct {
		name   string
		f      *fake
		check  error
		status int
		says   string
	}{
		{"all well", &fake{}, nil, 200, ""},
		{"loading", &fake{ready: registry.ErrLoading}, nil, 503, "registry: the registry is still loading"},
		{"broker away", &fake{}, broker, 503, "broker: connection refused"},
	} {
		h := serveConfig(t, api.Config{Registry: test.f, Open: true, Checks: []api.Check{{Name: "broker", Ok: func(context.Context) error { return test.check }}}})
		if a := get(t, h, "/readyz"); a.status != test.status || !strings.Contains(a.errorText(), test.says) {
			t.Errorf("%s answered %d %s", test.name, a.status, a.text)
		}
		if a := get(t, h, "/healthz"); a.status != 200 {
			t.Errorf("%s: healthz answered %d", test.name, a.status)
		}
	}
	loading := &fake{ready: registry.ErrLoading}
	if a := get(t, serve(t, loading), "/v1/nodes/db1.acme.net"); a.status != 503 {
		t.Errorf("a node that may still be loaded answered %d %s", a.status, a.text)
	}
}

func TestMetrics(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	get(t, h, "/v1/search")
	get(t, h, "/v1/search?x=y")
	get(t, h, "/no/such/"+strings.Repeat("x", 100))
	text := get(t, h, "/metrics").text
	for _, want := range []string{
		`muster_http_requests_total{route="GET /v1/search",status="200"} 1`,
		`muster_http_requests_total{route="GET /v1/search",status="400"} 1`,
		`muster_http_requests_total{route="none",status="404"} 1`,
		`muster_http_request_duration_seconds_count{route="GET /v1/search"} 2`,
		`muster_nodes{state="active"} 2`,
		`muster_nodes{state="expired"} 1`,
		`muster_registrations_total{result="unchanged"} 40`,
		`muster_registrations_total{result="refused"} 2`,
		`muster_registrations_rejected_total{reason="older"} 2`,
		`muster_registry_ready 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if loading := get(t, serve(t, &fake{err: registry.ErrLoading}), "/metrics"); loading.status != 200 || !strings.Contains(loading.text, "muster_registry_ready 0\n") || strings.Contains(loading.text, "muster_nodes{") {
		t.Errorf("while loading: %d %s", loading.status, loading.text)
	}
}

func TestOnePrincipalCannotTakeAll(t *testing.T) {
	f := &fake{pause: true, entered: make(chan struct{}, 1)}
	h := serveConfig(t, api.Config{Registry: f, Open: true, InFlight: 1, Deadline: 300 * time.Millisecond})
	first := make(chan int)
	go func() {
		res, err := h.Client().Get(h.URL + "/v1/search")
		if err != nil {
			first <- 0
			return
		}
		res.Body.Close()
		first <- res.StatusCode
	}()
	<-f.entered
	a := get(t, h, "/v1/rejected")
	if a.status != http.StatusTooManyRequests || a.errorCode() != "too_many_requests" || a.head.Get("Retry-After") == "" {
		t.Errorf("the second answered %d %s", a.status, a.text)
	}
	if got := <-first; got != http.StatusServiceUnavailable {
		t.Errorf("the first answered %d", got)
	}
	if a := get(t, h, "/v1/rejected"); a.status != 200 {
		t.Errorf("afterwards answered %d", a.status)
	}
}

func TestServeKeepsToLoopback(t *testing.T) {
	for _, test := range []struct {
		name string
		c    api.Config
		says string
	}{
		{"open", api.Config{Registry: &fake{}, Open: true}, "without authentication only on loopback"},
		{"in the clear", api.Config{Registry: &fake{}}, "only with TLS"},
	} {
		s, err := api.New(test.c)
		if err != nil {
			t.Fatal(err)
		}
		l := &listener{addr: &net.TCPAddr{IP: net.IPv4zero, Port: 8280}}
		if err := s.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: Serve returned %v", test.name, err)
		}
		if !l.closed {
			t.Errorf("%s: the listener stays open", test.name)
		}
	}
}

// listener is one that nobody may use.
type listener struct {
	net.Listener

	addr   net.Addr
	closed bool
}

func (l *listener) Addr() net.Addr { return l.addr }
func (l *listener) Close() error   { l.closed = true; return nil }

// What is under way at shutdown is answered; what comes after is not taken.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	f := &fake{pause: true, entered: make(chan struct{}, 1)}
	s, err := api.New(api.Config{Registry: f, Open: true, Deadline: 300 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/search HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-f.entered
	cancel()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", res.StatusCode)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	for _, c := range []api.Config{{}, {Registry: &fake{}, Roles: map[string]api.Role{"a": "king"}}, {Registry: &fake{}, Roles: map[string]api.Role{"[": api.Reader}}} {
		if _, err := api.New(c); err == nil {
			t.Errorf("New(%+v) gave no error", c)
		}
	}
}

type joiner struct{ asked pki.JoinRequest }

func (j *joiner) Join(_ context.Context, r pki.JoinRequest) (pki.JoinAnswer, error) {
	j.asked = r
	switch r.Token {
	case "good":
		return pki.JoinAnswer{Certificate: "PEM", Brokers: []string{"stomp://127.0.0.1:61613"}, Interval: 300}, nil
	case "bad":
		return pki.JoinAnswer{}, &pki.Denied{Reason: pki.DeniedToken, Detail: "the token was used already"}
	}
	return pki.JoinAnswer{}, errors.New("no space left on device")
}

func TestJoin(t *testing.T) {
	j := &joiner{}
	h := serveConfig(t, api.Config{Registry: &fake{}, Joiner: j}) // not open: the token is the proof
	for _, test := range []struct {
		body   string
		status int
		says   string
	}{
		{`{"token":"good","csr":"x","identity":"web1"}`, 200, `"brokers":["stomp://127.0.0.1:61613"]`},
		{`{"token":"bad","csr":"x","identity":"web1"}`, 403, "denied_token"},
		{`{"token":"disk","csr":"x","identity":"web1"}`, 503, "no space"},
		{`{"token":"good","tokn":"x"}`, 400, "no request to join"},
		{`{"token":`, 400, "no request to join"},
	} {
		if a := send(t, h, "POST", "/v1/join", test.body, nil); a.status != test.status || !strings.Contains(a.text, test.says) {
			t.Errorf("%s answered %d %s", test.body, a.status, a.text)
		}
	}
}

func TestNamesInUse(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	if a := get(t, h, "/v1/facts"); strings.TrimSpace(a.text) != `{"count":4,"facts":[{"name":"customer","nodes":3},{"name":"eq","nodes":1},{"name":"os","nodes":4},{"name":"os.family","nodes":4}]}` {
		t.Errorf("facts are %s", a.text)
	}
	if a := get(t, h, "/v1/classes"); strings.TrimSpace(a.text) != `{"classes":[{"name":"mysql::master","nodes":2}],"count":1}` {
		t.Errorf("classes are %s", a.text)
	}
	want := `{"count":2,"missing":0,"nodes":3,"path":"customer","values":[{"value":"acme","nodes":2},{"value":"zenith","nodes":1}],"warnings":[]}`
	if a := get(t, h, "/v1/facts/customer"); strings.TrimSpace(a.text) != want {
		t.Errorf("the values are\n%s\nwant\n%s", a.text, want)
	}
}
