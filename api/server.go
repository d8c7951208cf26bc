package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
	"muster/registry/index"
)

// Registry is what the routes need of a [registry.Registry].
type Registry interface {
	Asked
	Register(context.Context, registry.Registration) (registry.Receipt, error)
	Repeated(context.Context, registry.Registration) (receipt registry.Receipt, known bool, err error)
	Trust(context.Context, registry.Registration) error
	Refuse(registry.Refusal)
	Rejected() []registry.Refusal
	Ready(context.Context) error
	Stats() registry.Stats
	Basis() *registry.Basis
}

// Asked is what readers ask of a registry. Who may see a part of it only asks a
// [view], which has to know each of these.
type Asked interface {
	Find(context.Context, registry.Discovery) (registry.Answer, error)
	Rows(context.Context, registry.Discovery) (registry.Table, error)
	Node(id string) (registry.Node, bool)
	Names() (registry.Names, error)
	Vocabulary() (query.Vocabulary, error)
	Facts() ([]index.Fact, error)
	Histogram(ctx context.Context, d registry.Discovery, path string) (registry.Values, error)
}

// Check is one thing that must be well for the server to be ready.
type Check struct {
	Name string                      // such as "broker"
	Ok   func(context.Context) error // nil: it is well; it must not wait for long
}

// Config says what a server serves, and to whom.
type Config struct {
	Registry Registry

	// Open lets everybody who reaches the port do everything. Serve refuses
	// to do so anywhere but on loopback.
	Open bool

	// TLS is the server's certificate, and in ClientCAs the authorities whose
	// client certificates are accepted. Nil: plain HTTP, on loopback only.
	TLS *tls.Config

	// Revoked says which client certificates are not accepted; nil: none.
	Revoked func(*x509.Certificate) bool

	// Roles are given by certificate name, and win over what a certificate
	// says of its holder, which without either is a node. A name may have *
	// for any characters but a dot's: "puppet*.acme.net".
	Roles map[string]Role

	// Forwarders are certificate names or patterns of the role forwarder, each
	// with patterns of the identities that it may speak for; none: any. Here *
	// stands for any characters, dots too.
	Forwarders map[string][]string

	// Scopes limit what readers see, by certificate name or pattern, or by role
	// for those whose name or token says nothing else.
	Scopes map[string]registry.Scope

	Tokens  *TokenStore // nil: no tokens
	Life    Life        // nil: the registry, if it is one
	Joiner  Joiner      // nil: nobody can join here
	Renewer Renewer     // nil: no certificate can be renewed here
	Checks  []Check     // what readiness needs beside the registry

	// Held says why nothing is answered for now but to other registries and to
	// questions for health; nil, or a nil error: it is.
	Held func() error

	Audit          Auditor           // nil: nothing is kept
	Insecure       []string          // names of settings that make the server less safe, for the metric muster_insecure_setting
	AuditRequired  bool              // nothing is done that would not be kept
	AuditQuestions bool              // searches are kept too, not only what changes something
	Secret         func(string) bool // whether a text is about a secret, and must not be kept; nil: as [registry.DefaultRedacted] has it

	Saved          map[string]string   // saved queries, @name
	Hiera          map[string]HieraKey // what GET /v1/hiera/{certname} has beside the node itself
	Deadline       time.Duration       // for one answer; 0: 5 s
	InFlight       int                 // requests of one principal at a time; 0: 256
	Rate           float64             // requests a second of one principal, forwarders and administrators 20 times as many; 0: 500
	BytesPerMinute int64               // of bodies, likewise; 0: 64 MiB
	Now            func() time.Time    // nil: time.Now
	Log            *slog.Logger        // nil: slog.Default()
}

// Server is the HTTP side of a registry. It is an [http.Handler].
type Server struct {
	Config

	log     *slog.Logger
	echo    *echo.Echo
	routes  []route
	metrics *metrics
	flights *flights
	rates   rates
	packers packers

	unpackers unpackers

	scoped  scopedNames
	sights  sights
	kept    kept
	told    told
	closing chan struct{} // closed when the server shuts down
}

// New returns a server that is ready to serve. The error says what in the
// configuration cannot be.
func New(c Config) (*Server, error) {
	if c.Registry == nil {
		return nil, errors.New("serve HTTP: there is no registry")
	}
	for name, role := range c.Roles {
		if _, err := ParseRole(string(role)); err != nil {
			return nil, fmt.Errorf("serve HTTP: the role of %s: %w", name, err)
		}
		if _, err := path.Match(name, ""); err != nil {
			return nil, fmt.Errorf("serve HTTP: the role of %s: this is no pattern for names", name)
		}
	}
	if err := checkHiera(c.Hiera, c.Saved); err != nil {
		return nil, fmt.Errorf("serve HTTP: %w", err)
	}
	if err := checkGrants(c); err != nil {
		return nil, err
	}
	if c.Deadline == 0 {
		c.Deadline = 5 * time.Second
	}
	if c.InFlight == 0 {
		c.InFlight = 256
	}
	if c.Rate == 0 {
		c.Rate = usualRate
	}
	if c.BytesPerMinute == 0 {
		c.BytesPerMinute = usualBytes
	}
	if c.Secret == nil {
		about, err := registry.Redaction{}.About()
		if err != nil {
			return nil, fmt.Errorf("serve HTTP: %w", err)
		}
		c.Secret = about
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Life == nil {
		c.Life, _ = c.Registry.(Life)
	}
	s := &Server{Config: c, log: c.Log, flights: newFlights(c.InFlight), closing: make(chan struct{}), rates: rates{now: c.Now}}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.metrics = newMetrics(c.Registry, s.log, c.Insecure)
	s.build()
	return s, nil
}

// build makes echo serve the table of routes, and nothing else.
func (s *Server) build() {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.answerFailure
	e.IPExtractor = echo.ExtractIPDirect() // nobody may say for themselves where they come from
	e.Use(s.identify, s.watch, s.recoverPanic, s.guard)
	s.routes = s.table()
	for _, r := range s.routes {
		e.Add(r.method, r.path, r.handle, s.authorize(r), s.bound(r))
	}
	s.echo = e
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// How long a client may take. Answers are made in memory, so that writing
// takes what the network takes.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	shutdownGrace = 10 * time.Second
	maxHeader     = 64 << 10
)

// Serve answers on l until ctx is done, then lets requests that are under way
// end, and returns nil. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.mayServe(l.Addr()); err != nil {
		l.Close()
		return err
	}
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext:       func(ctx context.Context, _ net.Conn) context.Context { return withConnection(ctx) },
	}
	h.RegisterOnShutdown(func() { close(s.closing) }) // Serve is called once
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.serve(h, l)
	}()
	select {
	case <-done:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		s.log.Warn("requests were cut off at shutdown", "error", err)
		h.Close()
	}
	<-done
	return nil
}

func (s *Server) serve(h *http.Server, l net.Listener) error {
	if s.TLS == nil {
		return h.Serve(l)
	}
	h.TLSConfig = s.TLS.Clone()
	h.TLSConfig.MinVersion = max(h.TLSConfig.MinVersion, tls.VersionTLS12)
	h.TLSConfig.ClientAuth = tls.VerifyClientCertIfGiven
	return h.ServeTLS(l, "", "")
}

// mayServe keeps what is open to everybody, and what travels in the clear, on
// this host.
func (s *Server) mayServe(addr net.Addr) error {
	if tcp, ok := addr.(*net.TCPAddr); !ok || tcp.IP.IsLoopback() {
		return nil
	}
	switch {
	case s.Open:
		return fmt.Errorf("serve HTTP on %s: without authentication only on loopback, such as 127.0.0.1:8280", addr)
	case s.TLS == nil:
		return fmt.Errorf("serve HTTP on %s: off loopback only with TLS", addr)
	}
	return nil
}
