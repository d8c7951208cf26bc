package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/agent/facts"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/systemd"
	"muster/internal/wire"
)

// onceWithin bounds `muster agent --once`: collecting facts, and a registry
// that restarts.
const onceWithin = 2 * time.Minute

func (a *app) agentCommand() *cobra.Command {
	var join, identity, data, puppet string
	var brokers []string
	var once, renew bool
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "the node's daemon: registers facts, classes and RPC agents, and answers requests",
		Example: `  muster agent --join http://127.0.0.1:8280+FINGERPRINT+TOKEN
  muster agent --once
  muster agent --puppet /etc/puppetlabs/puppet/ssl --broker stomp+ssl://registry.acme.net:61613`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			override(&c.Identity, identity)
			override(&c.Data, data)
			override(&c.Agent.Puppet, puppet)
			if len(brokers) > 0 {
				c.Brokers = brokers
			}
			return a.runAgent(cmd.Context(), c, join, once, renew)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&join, "join", "", "join by this `line`, which muster serve and muster token join print; needed once")
	flags.StringVar(&identity, "identity", "", "the `name` this node answers to (default the host's full name)")
	flags.StringVar(&data, "data", "", "`folder` of the key and certificate (default /var/lib/muster/agent, or below the user's state)")
	flags.StringVar(&puppet, "puppet", "", "Puppet's ssl `folder`: prove this node with its Puppet certificate")
	flags.StringArrayVar(&brokers, "broker", nil, "broker, `stomp://HOST:PORT` or stomp+ssl://…; repeatable (default what was told at joining)")
	flags.BoolVar(&once, "once", false, "register, wait for the receipt, and end")
	flags.BoolVar(&renew, "renew", false, "get a new certificate first, though the present one does not end soon")
	return cmd
}

func (a *app) runAgent(ctx context.Context, c config, join string, once, renew bool) error {
	log := a.logger(slog.LevelInfo)
	dir := a.dataDir(c, "agent")
	pair, err := a.agentKeyPair(ctx, c, join, dir, renew)
	if err != nil {
		return err
	}
	warnOfWeaknesses(log, c.weaknesses())
	if once {
		return a.runDaemons(ctx, c, pair, dir, once, log)
	}
	alive := func(context.Context) error { return nil } // a broker that is away is no fault of this process
	return together(ctx,
		func(ctx context.Context) error { return a.runDaemons(ctx, c, pair, dir, once, log) },
		func(ctx context.Context) error { return systemd.Manager(a.env.Getenv).Run(ctx, alive, alive) })
}

// runDaemons runs one daemon after the other, each with a newer certificate.
func (a *app) runDaemons(ctx context.Context, c config, pair *pki.KeyPair, dir string, once bool, log *slog.Logger) error {
	for {
		client, err := a.nodeBus(c, pair, log)
		if err != nil {
			return err
		}
		daemon, err := a.daemon(c, pair, dir, client, log)
		if err != nil {
			return err
		}
		if once {
			return a.registerOnce(ctx, client, daemon)
		}
		log.Info("registering", "node", pair.Name(), "interval", daemon.Interval)
		var renewed *pki.KeyPair
		var wanted atomic.Bool // by the registry
		daemon.Renew = func() { wanted.Store(true) }
		err = together(ctx, client.Run, daemon.Run, func(ctx context.Context) (err error) {
			renewed, err = a.awaitRenewal(ctx, pair, dir, &wanted, log)
			return err
		})
		if !errors.Is(err, errRenewed) {
			return err
		}
		pair = renewed
	}
}

// errRenewed ends a run of the daemon that goes on with a new certificate.
var errRenewed = errors.New("the certificate was renewed")

// renewalEvery is how often a daemon looks whether its certificate ends soon,
// and how long it waits after a renewal that failed.
const renewalEvery = time.Hour

// awaitRenewal renews the certificate when that is due or wanted, and returns the new
// pair with errRenewed; or nil when ctx is done. Puppet renews its own.
func (a *app) awaitRenewal(ctx context.Context, pair *pki.KeyPair, dir string, wanted *atomic.Bool, log *slog.Logger) (*pki.KeyPair, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(renewalEvery):
		}
		if pair.Site.Server == "" || !pair.Due(a.env.Now()) && !wanted.Load() {
			continue
		}
		renewed, err := pair.Renew(ctx, a.env.Now(), dir)
		if err == nil {
			log.Info("the certificate was renewed", "node", pair.Name(), "ends", renewed.Chain[0].NotAfter)
			return renewed, errRenewed
		}
		log.Warn("the certificate is to be renewed and could not be", "node", pair.Name(), "ends", pair.Chain[0].NotAfter, "error", err)
	}
}

func (a *app) registerOnce(ctx context.Context, client *bus.Client, daemon agent.Daemon) error {
	ctx, cancel := context.WithTimeout(ctx, onceWithin)
	defer cancel()
	var receipt agent.Receipt
	err := beside(ctx, client.Run, func(ctx context.Context) (err error) {
		receipt, err = daemon.Once(ctx)
		return err
	})
	if err != nil {
		if status := client.Status(); !status.Connected && status.LastError != "" {
			err = fmt.Errorf("%w; the broker: %s", err, status.LastError)
		}
		return err
	}
	fmt.Fprintf(a.out, "%s is registered at %s\n", daemon.Sealer.Name(), receipt.Registry)
	for _, w := range receipt.Warnings {
		fmt.Fprintln(a.env.Stderr, "muster agent: note:", w)
	}
	return nil
}

// agentKeyPair is what the node proves itself with: Puppet's, what it joined
// with, or what it joins with now.
func (a *app) agentKeyPair(ctx context.Context, c config, join, dir string, renew bool) (*pki.KeyPair, error) {
	if c.Agent.Puppet != "" {
		if renew {
			return nil, usageFault("this node has its certificate from Puppet, which renews it itself")
		}
		return pki.LoadPuppet(c.Agent.Puppet, c.Identity)
	}
	if join != "" {
		line, err := pki.ParseJoinLine(join)
		if err != nil {
			return nil, usageFault("%w", err)
		}
		identity, err := a.nodeIdentity(ctx, c)
		if err != nil {
			return nil, err
		}
		return pki.Join(ctx, line, identity, dir)
	}
	pair, err := pki.LoadKeyPair(dir)
	if err == nil && c.Identity != "" && !strings.EqualFold(c.Identity, pair.Name()) {
		return nil, usageFault("this node is to be %s, and the certificate in %s is of %s; join anew with --join LINE, or leave the identity out", c.Identity, dir, pair.Name())
	}
	if errors.Is(err, fs.ErrNotExist) && c.Agent.JoinFile != "" {
		if join, err = readSecret(c.Agent.JoinFile); err != nil {
			return nil, fmt.Errorf("reading the line to join by: %w", err)
		}
		if join == "" {
			return nil, usageFault("%s holds no line to join by", c.Agent.JoinFile)
		}
		return a.agentKeyPair(ctx, c, join, dir, renew)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageFault("this node has no certificate in %s yet; join with --join LINE (muster serve and muster token join print one), or use Puppet's with --puppet SSLDIR", dir)
	}
	if err != nil || !renew && !pair.Due(a.env.Now()) {
		return pair, err
	}
	renewed, err := pair.Renew(ctx, a.env.Now(), dir)
	if err != nil && !renew {
		a.logger(slog.LevelWarn).Warn("the certificate ends soon and could not be renewed", "node", pair.Name(), "ends", pair.Chain[0].NotAfter, "error", err)
		return pair, nil
	}
	return renewed, err
}

func (a *app) nodeIdentity(ctx context.Context, c config) (string, error) {
	if c.Identity != "" {
		return c.Identity, nil
	}
	return agent.DefaultIdentity(ctx)
}

// nodeBus is the node's connection: to the brokers of the settings, else to
// those it was told of when it joined.
func (a *app) nodeBus(c config, pair *pki.KeyPair, log *slog.Logger) (*bus.Client, error) {
	brokers, login := c.Brokers, c.BrokerLogin
	passcode, err := readSecret(c.PasscodeFile)
	if err != nil {
		return nil, fmt.Errorf("reading the broker's passcode: %w", err)
	}
	if len(brokers) == 0 {
		brokers = pair.Site.Brokers
	}
	if login == "" {
		login, passcode = pair.Site.Login, pair.Site.Passcode
	}
	if len(brokers) == 0 {
		return nil, usageFault("which broker? Name one with --broker stomp://HOST:PORT")
	}
	if err := checkBrokers(brokers); err != nil {
		return nil, err
	}
	return bus.NewClient(bus.Config{
		Brokers: brokers, Vhost: c.BrokerVhost, Login: login, Passcode: passcode, Now: a.env.Now, Log: log,
		TLS: presenting(pair, brokers),
	}), nil
}

func (a *app) daemon(c config, pair *pki.KeyPair, dir string, client *bus.Client, log *slog.Logger) (agent.Daemon, error) {
	sealer, err := wire.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		return agent.Daemon{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return agent.Daemon{}, fmt.Errorf("making the data folder: %w", err)
	}
	counter, err := wire.OpenCounter(filepath.Join(dir, "sequence"), a.env.Now)
	if err != nil {
		return agent.Daemon{}, err
	}
	interval := time.Duration(c.Agent.Interval)
	if interval != 0 && interval < time.Second {
		return agent.Daemon{}, usageFault("agent.interval is %v; a node registers every second at most", interval)
	}
	if interval == 0 {
		interval = pair.Site.Interval
	}
	if interval == 0 {
		interval = agent.DefaultInterval
	}
	splay := time.Duration(c.Agent.Splay)
	if splay == 0 {
		splay = min(interval, time.Minute)
	}
	collectives := c.collectives()
	if pair.Site.Collective != "" && len(c.Collectives) == 0 && c.MainCollective == "" {
		collectives = []string{pair.Site.Collective}
	}
	return agent.Daemon{
		Bus: client, Sealer: sealer, Counter: counter,
		Opener:      &wire.Opener{Roots: rootsOf(pair), Now: a.env.Now, Expect: []wire.Kind{wire.Request, wire.Receipt}},
		Collect:     c.collector().Collect,
		Agents:      []agent.Agent{agent.NRPE{Paths: c.Agent.NRPE, AllowArgs: c.Agent.NRPEArgs}.Agent()},
		Collectives: collectives, Interval: interval, Splay: splay,
		Registries: c.Agent.Registry, Callers: c.Agent.Operators,
		Version: version(), Now: a.env.Now, Log: log,
	}, nil
}

// rootsOf hands out the same pool each time, so that verified chains stay verified.
func rootsOf(pair *pki.KeyPair) func() *x509.CertPool {
	pool := pair.Roots()
	return func() *x509.CertPool { return pool }
}

// collector says where this node's facts and classes come from.
func (c config) collector() agent.Collector {
	source := facts.Source{Facter: c.Agent.Facter, FacterArgs: c.Agent.FacterArgs, Dir: c.Agent.FactsDir, Files: filepath.SplitList(c.Agent.Facts)}
	if source.Facter == "auto" {
		source.Facter = ""
	}
	if source.Dir == "" {
		source.Dir = "/etc/muster/facts.d"
		if _, err := os.Stat(source.Dir); err != nil {
			source.Dir = ""
		}
	}
	out := agent.Collector{Facts: source}
	if c.Agent.Classes != "" {
		out.ClassFiles = []string{c.Agent.Classes}
	}
	return out
}
