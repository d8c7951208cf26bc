package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/agent"
	"muster/api"
	"muster/internal/audit"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/systemd"
	"muster/internal/wire"
	"muster/registry"
	"muster/registry/boltstore"
	"muster/registry/mongostore"
)

// Logins at the embedded broker that are no node's: an identity has no @.
const (
	registryLogin = "@registry"
	clientLogin   = "@client"
)

// siteConfig says how a registry and its surroundings run.
type siteConfig struct {
	dir         string   // where everything is kept that must survive
	listen      string   // HTTP
	stompListen string   // embedded broker; empty: the first free port of 127.0.0.1 from 61613
	brokers     []string // other brokers instead of the embedded one
	vhost       string
	login       string
	passcode    string
	store       string // empty: the embedded store in dir; mongodb://…
	engine      string // what answers: memory (or empty), or store
	open        bool   // everybody who reaches the port may do everything; loopback only
	tls         bool   // on loopback too
	certFile    string
	keyFile     string
	puppet      string           // Puppet's ssl folder
	operators   []string         // certificate names that may act on nodes
	readers     []string         // … that may ask over HTTP
	forwarders  forwardersConfig // … that may ask, and register nodes
	scopes      map[string]registry.Scope
	saved       map[string]string
	hiera       map[string]api.HieraKey
	collectives []string
	volatile    []string // empty: the usual ones
	redact      registry.Redaction
	audit       auditConfig
	rate        float64
	insecure    []string         // names of what the settings weaken
	notify      systemd.Notifier // the service manager, if one waits for news
	lifecycle   registry.Lifecycle
	retention   registry.Retention
	name        string // of this registry in its certificate

	neighbourURLs  []string // registries that hear the same nodes
	neighbourToken string   // shown to them; empty: this registry's certificate is
	now            func() time.Time
	log            *slog.Logger

	tidy bool // the process is this site's, and holds less garbage than others
}

// site is one registry and what it needs: certificates, broker, store, HTTP.
type site struct {
	siteConfig
	authority  *pki.Authority
	secret     []byte                // from which the broker's passcodes are made
	host       *pki.KeyPair          // this host's from Puppet; nil: the site's own certificates serve
	trust      atomic.Pointer[trust] // see current
	changing   sync.Mutex            // held while trust is
	crl        *pki.CRL              // of Puppet's CA; nil without one
	registry   *registry.Registry
	client     *bus.Client // this process's own connection to the broker
	tokens     *api.TokenStore
	http       net.Listener
	stomp      net.Listener // nil where other brokers serve
	auditLog   *audit.Log   // nil: nothing is kept
	brokerURIs []string     // as nodes are told
	adminToken string       // path of the file that holds it; empty for an open site
	firstStart bool
	neighbours []neighbour
	caughtUp   chan struct{} // closed when the neighbours have been asked what was missed
	subscribed chan struct{} // closed when registrations are asked for; the broker may still be away
	listening  chan struct{} // closed when they are heard
	hears      chan struct{} // holds a word when they are heard, or heard again
}

// openSite makes or loads what is kept, and listens. Nothing is served yet.
func openSite(ctx context.Context, c siteConfig) (_ *site, err error) {
	if c.now == nil {
		c.now = time.Now
	}
	if err := checkBrokers(c.brokers); err != nil {
		return nil, err
	}
	s := &site{siteConfig: c, subscribed: make(chan struct{}), listening: make(chan struct{}), caughtUp: make(chan struct{}), hears: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if err := s.openCertificates(); err != nil {
		return nil, err
	}
	if err := s.openTokens(); err != nil {
		return nil, err
	}
	if err := s.openAudit(); err != nil {
		return nil, err
	}
	if err := s.openNeighbours(); err != nil {
		return nil, err
	}
	if err := s.openListeners(); err != nil {
		return nil, err
	}
	if err := s.checkStore(); err != nil {
		return nil, err
	}
	store, err := s.openStore(ctx)
	if err != nil {
		return nil, err
	}
	s.client = bus.NewClient(bus.Config{
		Brokers: s.ownBrokers(), Vhost: s.vhost, Login: s.ownLogin(), Passcode: s.ownPasscode(),
		TLS: s.clientTLS(), Now: s.now, Log: s.log,
	})
	s.registry, err = registry.Open(ctx, registry.Config{
		Store: store, Background: true, Deaf: true, Volatile: c.volatile, Redact: c.redact, Lifecycle: c.lifecycle, Retention: c.retention, Now: c.now, Log: c.log,
		Direct: c.engine == engineStore,
	})
	return s, err
}

func (s *site) close() {
	for _, l := range []net.Listener{s.http, s.stomp} {
		if l != nil {
			_ = l.Close() // it was not served, or Serve has closed it
		}
	}
}

// engineStore is the engine that asks the store for every answer.
const engineStore = "store"

// checkStore refuses what does not go together.
func (s *site) checkStore() error {
	switch {
	case s.engine != "" && s.engine != "memory" && s.engine != engineStore:
		return usageFault("there is no engine %q; want memory or store", s.engine)
	case s.engine == engineStore && s.store == "":
		return usageFault("the engine store asks a MongoDB: name it with --store")
	case s.store != "" && len(s.neighbourURLs) > 0:
		return usageFault("neighbours are for embedded stores; registries on one MongoDB follow each other through it")
	}
	return nil
}

func (s *site) openStore(ctx context.Context) (registry.Store, error) {
	switch {
	case s.store == "":
		return boltstore.Open(ctx, filepath.Join(s.dir, "nodes.db"))
	case strings.HasPrefix(s.store, "mongodb://"), strings.HasPrefix(s.store, "mongodb+srv://"):
		return mongostore.Open(ctx, mongostore.Config{URI: s.store, Now: s.now, Log: s.log})
	}
	return nil, usageFault("store %q is neither empty (the embedded store) nor mongodb://HOST/DATABASE", s.store)
}

func (s *site) openCertificates() (err error) {
	if s.authority, err = pki.OpenAuthority(filepath.Join(s.dir, "ca"), s.now); err != nil {
		return err
	}
	if s.secret, err = pki.OpenSecret(filepath.Join(s.dir, "broker.secret")); err != nil {
		return err
	}
	if s.puppet != "" {
		if s.host, err = pki.LoadPuppet(s.puppet, ""); err != nil {
			return err
		}
		if s.crl, err = pki.OpenCRL(filepath.Join(s.puppet, "crl.pem"), s.host.CA, s.now); err != nil {
			return err
		}
	}
	return nil
}

// revoked reports whether either authority took a certificate back.
func (s *site) revoked(cert *x509.Certificate) bool {
	return s.authority.IsRevoked(cert) || s.crl != nil && s.crl.IsRevoked(cert)
}

// issue makes a key and its certificate.
func (s *site) issue(name string, role pki.Role) (*pki.KeyPair, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	cert, err := s.authority.Issue(key.Public(), pki.Grant{Name: name, Role: role})
	if err != nil {
		return nil, fmt.Errorf("issuing the certificate of %s: %w", name, err)
	}
	return &pki.KeyPair{Key: key, Chain: []*x509.Certificate{cert}, CA: s.authority.Accepted()}, nil
}

// openTokens makes the administrator's token at the first start.
func (s *site) openTokens() error {
	if s.open {
		return nil
	}
	s.tokens = &api.TokenStore{Path: filepath.Join(s.dir, "tokens.json"), Now: s.now}
	s.adminToken = filepath.Join(s.dir, "admin.token")
	if _, err := os.Stat(s.adminToken); err == nil {
		return nil
	}
	secret, err := s.tokens.Create(adminTokenName, api.Admin, 0)
	if err != nil {
		return fmt.Errorf("making the administrator's token: %w", err)
	}
	s.firstStart = true
	return writePrivate(s.adminToken, []byte(secret+"\n"))
}

const adminTokenName = "admin"

func (s *site) openListeners() (err error) {
	if s.http, err = net.Listen("tcp", s.listen); err != nil {
		return fmt.Errorf("listening for HTTP on %s: %s; name another with --listen", s.listen, plainNetError(err))
	}
	if !isLoopback(s.http.Addr()) {
		s.tls = true
	}
	if len(s.brokers) > 0 {
		s.brokerURIs = s.brokers
	} else if err := s.openBroker(); err != nil {
		return err
	}
	first, err := s.newTrust(s.authority.Roots())
	s.trust.Store(first)
	return err
}

// stompTLS reports whether the embedded broker speaks TLS: off loopback, where
// that is wanted, and where nodes log in with certificates alone.
func (s *site) stompTLS() bool {
	return s.stomp != nil && (!isLoopback(s.stomp.Addr()) || s.tls || s.puppet != "")
}

// stompPorts is how many ports from 61613 are tried.
const stompPorts = 100

func (s *site) openBroker() (err error) {
	if s.stompListen != "" {
		if s.stomp, err = net.Listen("tcp", s.stompListen); err != nil {
			return fmt.Errorf("listening for STOMP on %s: %s", s.stompListen, plainNetError(err))
		}
	}
	for port := 61613; s.stomp == nil; port++ {
		s.stomp, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil && port >= 61613+stompPorts {
			return fmt.Errorf("listening for STOMP on 127.0.0.1 from port 61613: %s; name an address with --stomp-listen", plainNetError(err))
		}
	}
	scheme := "stomp"
	if s.stompTLS() {
		scheme = "stomp+ssl"
	}
	s.brokerURIs = []string{scheme + "://" + reachable(s.stomp.Addr())}
	return nil
}

// serve runs everything until ctx is done.
func (s *site) serve(ctx context.Context) error {
	client := s.client
	web, err := s.newAPI(client)
	if err != nil {
		return err
	}
	receiver := s.newReceiver(client)
	parts := []func(context.Context) error{
		client.Run,
		func(ctx context.Context) error { return s.notify.Run(ctx, s.registry.Ready, s.well) },
		func(ctx context.Context) error { return s.tellHearing(ctx, client) },
		s.keepInStep, s.keepTidy,
		func(ctx context.Context) error { return s.receive(ctx, receiver) },
		func(ctx context.Context) error { return web.Serve(ctx, s.http) },
	}
	if s.stomp != nil {
		parts = append(parts, s.serveBroker)
	}
	return errors.Join(together(ctx, parts...), s.registry.Close(), s.closeAudit())
}

// garbage is how much of the memory in use there may be in garbage, in percent,
// before it is collected. Nodes lie in memory for as long as they live, mostly in
// pieces without pointers that cost the collector nothing: with Go's usual 100 a
// large fleet would take twice the memory for little time.
const garbage = 40

// keepTidy holds little garbage once the nodes are loaded, until ctx is done.
// While they are, nearly all is garbage, and to collect it more often costs time.
func (s *site) keepTidy(ctx context.Context) error {
	if s.tidy && s.registry.Ready(ctx) == nil {
		defer debug.SetGCPercent(debug.SetGCPercent(garbage))
		debug.FreeOSMemory()
	}
	<-ctx.Done()
	return nil
}

// hearingEvery is how often it is looked whether the broker is reached.
const hearingEvery = time.Second

// tellHearing tells the registry whether it can hear its nodes, until ctx is
// done.
func (s *site) tellHearing(ctx context.Context, client *bus.Client) error {
	select {
	case <-s.subscribed:
	case <-ctx.Done():
		return nil
	}
	if client.Ready(ctx) != nil {
		return nil // ctx is done; so long nobody was heard
	}
	s.registry.Hearing(true)
	close(s.listening)
	s.tellHears()
	tick := time.NewTicker(hearingEvery)
	defer tick.Stop()
	heard := true
	for {
		select {
		case <-tick.C:
			hears := client.Connected()
			s.registry.Hearing(hears)
			if hears && !heard {
				s.tellHears()
			}
			heard = hears
		case <-ctx.Done():
			return nil
		}
	}
}

// tellHears lets keepInStep ask for what was missed until now.
func (s *site) tellHears() {
	select {
	case s.hears <- struct{}{}:
	default:
	}
}

// receive takes registrations, once it is known what was missed before them.
func (s *site) receive(ctx context.Context, receiver *agent.Receiver) error {
	select {
	case <-s.caughtUp:
		return receiver.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

func (s *site) serveBroker(ctx context.Context) error {
	broker := &bus.Broker{Authenticate: s.authenticate, Now: s.now, Log: s.log}
	listener := s.stomp
	if s.stompTLS() {
		listener = tls.NewListener(listener, s.tlsConfig(func(t *trust) *tls.Config { return t.stomp }))
	}
	return broker.Serve(ctx, listener)
}

// ownBrokers are the addresses at which this process reaches its broker.
func (s *site) ownBrokers() []string {
	if s.stomp == nil {
		return s.brokers
	}
	return s.brokerURIs
}

func (s *site) ownLogin() string {
	if s.stomp == nil {
		return s.login
	}
	return registryLogin
}

func (s *site) ownPasscode() string {
	if s.stomp == nil {
		return s.passcode
	}
	return pki.Passcode(s.secret, registryLogin)
}

func (s *site) clientTLS() *tls.Config {
	conf := trusting(s.roots, s.ownBrokers())
	if s.stomp == nil { // another registry's broker knows this one by its certificate
		conf.GetClientCertificate = s.ownCertificate
	}
	return conf
}

// authenticate says who logs in at the embedded broker: a certificate first,
// else the passcode that was made from the login.
func (s *site) authenticate(c bus.Credentials) (bus.Principal, error) {
	if c.Certificate != nil {
		return s.byCertificate(c.Certificate)
	}
	if !pki.CheckPasscode(s.secret, c.Login, c.Passcode) {
		return bus.Principal{}, fmt.Errorf("login %q with a wrong passcode", c.Login)
	}
	switch c.Login {
	case registryLogin:
		return bus.Principal{Role: bus.RoleRegistry, Name: c.Login}, nil
	case clientLogin:
		return bus.Principal{Role: bus.RoleClient, Name: c.Login}, nil
	}
	return bus.Principal{Role: bus.RoleNode, Name: c.Login}, nil
}

func (s *site) byCertificate(cert *x509.Certificate) (bus.Principal, error) {
	name := pki.NameOf(cert)
	if s.revoked(cert) {
		return bus.Principal{}, fmt.Errorf("the certificate of %q was revoked", name)
	}
	role := bus.RoleNode
	switch {
	case pki.RoleOf(cert) == pki.RoleRegistry, s.puppet != "" && name == s.host.Name():
		// With Puppet's certificates this host has one for all it does: the
		// registry, its own daemon, and the command line.
		role = bus.RoleRegistry
	case pki.RoleOf(cert) == pki.RoleOperator, slices.Contains(s.operators, name):
		role = bus.RoleClient
	}
	return bus.Principal{Role: role, Name: name}, nil
}

func (s *site) newReceiver(client *bus.Client) *agent.Receiver {
	return &agent.Receiver{
		Bus: client, Sealer: s, Registry: s.registry, Collectives: s.collectives, Now: s.now, Log: s.log, Renew: s.authority.Outdated,
		Listening: func() { close(s.subscribed) },
		Opener: &wire.Opener{
			Roots: s.roots, Revoked: s.revoked,
			Now: s.now, Expect: []wire.Kind{wire.Registration},
		},
	}
}
