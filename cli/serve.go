package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"muster/internal/pki"
	"muster/internal/systemd"
)

const defaultListen = "127.0.0.1:8280"

func (a *app) serveCommand() *cobra.Command {
	var listen, stompListen, store, engine, data, puppet string
	var brokers, neighbours []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "the registry: receiver, store, HTTP, and a broker unless another is named",
		Long: `At its first start it makes a certificate authority and an administrator's token in its data folder, and prints one line by
which a node joins. Off loopback it answers over TLS only.`,
		Example: `  muster serve
  muster serve --listen :8280 --stomp-listen :61613
  muster serve --broker stomp://127.0.0.1:61613 --store mongodb://127.0.0.1/muster`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			override(&c.Serve.Listen, listen)
			override(&c.Serve.StompListen, stompListen)
			override(&c.Serve.Store, store)
			override(&c.Serve.Engine, engine)
			override(&c.Serve.Puppet, puppet)
			override(&c.Data, data)
			if len(brokers) > 0 {
				c.Brokers = brokers
			}
			if len(neighbours) > 0 {
				c.Serve.Neighbours = neighbours
			}
			return a.serve(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "", "HTTP `address` (default "+defaultListen+")")
	flags.StringVar(&stompListen, "stomp-listen", "", "`address` of the embedded broker (default the first free port of 127.0.0.1 from 61613)")
	flags.StringArrayVar(&brokers, "broker", nil, "use this broker, `stomp://HOST:PORT`, instead of the embedded one; repeatable")
	flags.StringArrayVar(&neighbours, "neighbour", nil, "`https://HOST:PORT` of another registry that hears the same nodes: asked for what this one missed; repeatable")
	flags.StringVar(&store, "store", "", "`mongodb://HOST/DATABASE` instead of the embedded store")
	flags.StringVar(&engine, "engine", "", "what answers: `memory`, or store, which keeps no nodes and asks the MongoDB each time (default memory)")
	flags.StringVar(&data, "data", "", "`folder` of what must survive (default /var/lib/muster/serve, or below the user's state)")
	flags.StringVar(&puppet, "puppet", "", "Puppet's ssl `folder`: nodes prove themselves with its certificates")
	return cmd
}

// override lets a flag that was given win over the settings.
func override(setting *string, flag string) {
	if flag != "" {
		*setting = flag
	}
}

func (a *app) serve(ctx context.Context, c config) error {
	log := a.logger(slog.LevelInfo)
	if c.Serve.Listen == "" {
		c.Serve.Listen = defaultListen
	}
	passcode, err := readSecret(c.PasscodeFile)
	if err != nil {
		return fmt.Errorf("reading the broker's passcode: %w", err)
	}
	hiera, err := c.Serve.hiera()
	if err != nil {
		return err
	}
	neighbourToken, err := a.neighbourToken(c)
	if err != nil {
		return err
	}
	s, err := openSite(ctx, siteConfig{
		hiera: hiera,
		dir:   a.dataDir(c, "serve"), listen: c.Serve.Listen, stompListen: c.Serve.StompListen,
		brokers: c.Brokers, vhost: c.BrokerVhost, login: c.BrokerLogin, passcode: passcode,
		store: c.Serve.Store, engine: c.Serve.Engine, tls: c.Serve.TLS, certFile: c.Serve.CertFile, keyFile: c.Serve.KeyFile,
		puppet: c.Serve.Puppet, operators: c.Serve.Operators, readers: c.Serve.Readers, forwarders: c.Serve.Forwarders, scopes: scopes(c.Serve.Scopes), saved: c.Saved,
		collectives: c.collectives(), volatile: c.Serve.Volatile, redact: c.Serve.Redact.redaction(), audit: c.Serve.Audit, rate: c.Serve.Rate,
		insecure: namesOf(c.weaknesses()), notify: systemd.Manager(a.env.Getenv), lifecycle: c.Serve.Lifecycle.lifecycle(), retention: c.Serve.History.retention(),
		neighbourURLs: c.Serve.Neighbours, neighbourToken: neighbourToken,
		name: "registry", now: a.env.Now, log: log, tidy: a.env.Getenv("GOGC") == "",
	})
	if err != nil {
		return err
	}
	warnOfWeaknesses(log, c.weaknesses())
	r, err := a.runFileOf(s)
	if err != nil {
		s.close()
		return err
	}
	withdraw, err := a.env.announce(r)
	if err != nil {
		log.Warn("this user's command line does not find the server by itself", "error", err)
		withdraw = func() {}
	}
	defer withdraw()
	a.greet(s)
	return s.serve(ctx)
}

// neighbourToken is what neighbours are shown besides this registry's
// certificate: the token of the settings, or that of the only neighbour, which
// this user runs on this host.
func (a *app) neighbourToken(c config) (string, error) {
	path := c.Serve.NeighbourTokenFile
	if path == "" && len(c.Serve.Neighbours) == 1 {
		if running, err := a.env.readRunFile(); err == nil && running != nil && running.Server == c.Serve.Neighbours[0] {
			path = running.Token
		}
	}
	token, err := readSecret(path)
	if err != nil {
		return "", fmt.Errorf("reading the token for neighbours: %w", err)
	}
	return token, nil
}

// runFileOf is what the command line of this user needs; the broker's passcode
// is kept in a file of its own.
func (a *app) runFileOf(s *site) (runFile, error) {
	r := runFile{PID: os.Getpid(), Server: s.baseURL(), Token: s.adminToken, Brokers: s.brokerURIs, Vhost: s.vhost, Data: s.dir}
	if s.tls && s.certFile == "" {
		r.CA = filepath.Join(s.dir, "ca", "ca.pem")
		if s.puppet != "" {
			r.CA = filepath.Join(s.puppet, "certs", "ca.pem")
		}
	}
	r.Operator = filepath.Join(s.dir, "operator")
	if s.puppet != "" {
		r.Operator, r.Puppet = "", s.puppet
	}
	r.Login, r.Passcode = s.login, filepath.Join(s.dir, "client.passcode")
	passcode := s.passcode
	if s.stomp != nil {
		r.Login, passcode = clientLogin, pki.Passcode(s.secret, clientLogin)
	}
	if err := keepPrivate(r.Passcode, []byte(passcode+"\n")); err != nil {
		return r, fmt.Errorf("keeping the broker's passcode: %w", err)
	}
	return r, nil
}

// greet says where everything is, on stderr: a server has no results.
func (a *app) greet(s *site) {
	w := a.env.Stderr
	fmt.Fprintf(w, "muster serve: HTTP at %s, STOMP at %s, data in %s\n", s.baseURL(), strings.Join(s.brokerURIs, " "), s.dir)
	if s.firstStart {
		fmt.Fprintf(w, "muster serve: the administrator's token is in %s\n", s.adminToken)
	}
	if s.puppet != "" {
		fmt.Fprintf(w, "muster serve: nodes prove themselves with Puppet's certificates; on each: muster agent --puppet SSLDIR --broker %s\n", s.brokerURIs[0])
		return
	}
	line, err := s.joinLine(pki.TokenSpec{})
	if err != nil {
		fmt.Fprintf(w, "muster serve: no node can join now: %v\n", err)
		return
	}
	fmt.Fprintf(w, "muster serve: one node can join within a day by: muster agent --join %s\n", line)
	fmt.Fprintf(w, "muster serve: `muster token join` makes lines for others\n")
}

// logger writes to stderr from the level on; -v shows more, -q less.
func (a *app) logger(level slog.Level) *slog.Logger {
	switch {
	case a.verbose:
		level = slog.LevelDebug
	case a.quiet:
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(a.env.Stderr, &slog.HandlerOptions{Level: level}))
}
