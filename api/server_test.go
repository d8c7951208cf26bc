package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
		{"POST", "/v1/renew", 404, "not_found"},
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

// authority is a certificate authority as cli makes one of pki's.
type authority struct{ *pki.Authority }

func (a authority) Join(_ context.Context, r pki.JoinRequest) (pki.JoinAnswer, error) {
	cert, err := a.Admit(r)
	return a.answer(cert, err)
}

func (a authority) Renew(_ context.Context, r pki.RenewRequest) (pki.JoinAnswer, error) {
	cert, err := a.Authority.Renew(r)
	return a.answer(cert, err)
}

func (a authority) answer(cert *x509.Certificate, err error) (pki.JoinAnswer, error) {
	if err != nil {
		return pki.JoinAnswer{}, err
	}
	text := func(c *x509.Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return pki.JoinAnswer{Certificate: text(cert), CA: text(a.Certificate()), Collective: "mcollective", Interval: 300}, nil
}

// A machine joins by one line, over loopback and over TLS, and renews.
func TestJoinAndRenew(t *testing.T) {
	s := newSite(t)
	a := authority{s.Authority}
	plain := serveConfig(t, api.Config{Registry: &fake{}, Joiner: a, Renewer: a}) // not open: the token is the proof
	for name, address := range map[string]string{"plain": plain.URL, "tls": s.serveTLS(t, api.Config{Registry: &fake{}, Joiner: a, Renewer: a})} {
		token, err := s.CreateToken(pki.TokenSpec{})
		if err != nil {
			t.Fatal(err)
		}
		line := s.JoinLine(address, token)
		pair, err := pki.Join(t.Context(), line, name+".acme.net", t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if pair.Name() != name+".acme.net" || pair.Site.Interval != 5*time.Minute {
			t.Errorf("%s joined as %s with %+v", name, pair.Name(), pair.Site)
		}
		if _, err := pair.Renew(t.Context(), time.Now(), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err = pki.Join(t.Context(), line, "other.acme.net", t.TempDir())
		if denied, ok := errors.AsType[*pki.Denied](err); !ok || denied.Reason != pki.DeniedToken {
			t.Errorf("%s: the token served twice: %v", name, err)
		}
	}
}

func TestWhatIsNoRequestForACertificate(t *testing.T) {
	a := authority{newSite(t).Authority}
	h := serveConfig(t, api.Config{Registry: &fake{}, Joiner: a, Renewer: a})
	for _, test := range []struct {
		path, body, code string
		status           int
	}{
		{"/v1/join", `{"token":"x","csr":"y","identity":"z"}`, pki.DeniedRequest, 403},
		{"/v1/join", `{"token":"good","tokn":"x"}`, "not_understood", 400},
		{"/v1/join", `{"token":`, "not_understood", 400},
		{"/v1/renew", `{"certificate":"x"}`, pki.DeniedRequest, 403},
		{"/v1/renew", `[]`, "not_understood", 400},
	} {
		if a := send(t, h, "POST", test.path, test.body, nil); a.status != test.status || a.errorCode() != test.code {
			t.Errorf("%s %s answered %d %s", test.path, test.body, a.status, a.text)
		}
	}
}

func TestNamesInUse(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	if a := get(t, h, "/v1/facts"); strings.TrimSpace(a.text) != `{"count":4,"facts":[{"name":"customer","nodes":3,"types":["text"],"values":2},{"name":"eq","nodes":1},{"name":"os","nodes":4},{"name":"os.family","nodes":4}]}` {
		t.Errorf("facts are %s", a.text)
	}
	if a := get(t, h, "/v1/classes"); strings.TrimSpace(a.text) != `{"classes":[{"name":"mysql::master","nodes":2}],"count":1}` {
		t.Errorf("classes are %s", a.text)
	}
	for path, says := range map[string]string{"a%2Fb": `"value":"slash"`, "50%25": `"value":"percent"`, "%2525": `"missing":3`} {
		if a := get(t, h, "/v1/facts/"+path); a.status != http.StatusOK || !strings.Contains(a.text, says) {
			t.Errorf("%s answered %d %s", path, a.status, a.text)
		}
	}
	want := `{"count":2,"missing":0,"nodes":3,"path":"customer","values":[{"value":"acme","nodes":2},{"value":"zenith","nodes":1}],"warnings":[]}`
	if a := get(t, h, "/v1/facts/customer"); strings.TrimSpace(a.text) != want {
		t.Errorf("the values are\n%s\nwant\n%s", a.text, want)
	}
}

// The log says who asked for what; what a stranger sends does not end its line.
func TestAccessLog(t *testing.T) {
	var log bytes.Buffer
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	secret, err := tokens.Create("puppet1", api.Forwarder, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Config{Registry: &fake{nodes: fleet()}, Tokens: tokens, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/search", "/no\nlevel=ERROR"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Muster-Requested-By", "web1\nlevel=ERROR")
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	if got := strings.Count(log.String(), "\n"); got != 2 {
		t.Errorf("two requests made %d lines:\n%s", got, log.String())
	}
	for _, want := range []string{`route="GET /v1/search" status=200`, `principal=puppet1 auth="token puppet1" for="web1\nlevel=ERROR"`, "route=none status=404"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Error("the token is in the log")
	}
}
