package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
	"muster/agent/facts"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// demoInterval is how often the nodes of the demo register.
const demoInterval = 5 * time.Minute

type demoFlags struct {
	nodes   int
	once    bool
	listen  string
	store   string
	brokers []string
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "everything in one process on loopback, with a bundled fleet; shows what to type",
		Long: `Broker, store, registry and HTTP start; a bundled fleet and this host's own facts register through real STOMP messages; then a tour
is printed, each command with its real answer, and everything keeps serving until interrupted. No settings file is read.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.nodes, "nodes", 200, "how many nodes of the bundled fleet register")
	flags.BoolVar(&f.once, "once", false, "end after the tour")
	flags.StringVar(&f.listen, "listen", "", "HTTP `address`, on loopback (default the first free port of 127.0.0.1 from 8280)")
	flags.StringVar(&f.store, "store", "", "`mongodb://HOST/DATABASE` instead of the embedded store")
	flags.StringArrayVar(&f.brokers, "broker", nil, "use this broker, `stomp://HOST:PORT`, instead of the embedded one (MUSTER_BROKER_LOGIN, _PASSCODE_FILE, _VHOST)")
	flags.Lookup("nodes").DefValue = "200"
	cmd.AddCommand(a.demoCheckCommand())
	return cmd
}

// demoCheckCommand is the check that the demo's nodes run as check_load.
func (a *app) demoCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Hidden: true, Args: exactly(0, "no arguments"),
		Short: "what the demo's nodes run as check_load",
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.out, "OK - a node of the demo, nothing was measured")
			return nil
		},
	}
}

// demo is one run of the demonstration.
type demo struct {
	*app
	demoFlags
	site    *site
	fleet   []agent.Daemon
	clients []*bus.Client
	began   time.Time
	runFile string // of this demo alone; another server's may be the user's
}

func (a *app) demo(ctx context.Context, f demoFlags) (err error) {
	dir, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{app: a, demoFlags: f, began: a.env.Now()}
	if err := d.open(ctx, dir); err != nil {
		return err
	}
	if err := d.cast(ctx, dir); err != nil {
		d.site.close()
		return err
	}
	d.runFile = filepath.Join(dir, "run.json")
	r, err := a.runFileOf(d.site)
	if err == nil {
		_, err = writeRunFile(d.runFile, r)
	}
	if err != nil {
		d.site.close()
		return err
	}
	withdraw, err := a.env.announce(r)
	if err != nil {
		d.site.close()
		return err
	}
	defer withdraw()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return together(ctx, d.site.serve, d.play, func(ctx context.Context) error {
		err := d.tour(ctx)
		if err == nil && f.once {
			cancel()
		}
		return err
	})
}

// play runs the nodes, once the registry hears them.
func (d *demo) play(ctx context.Context) error {
	select {
	case <-d.site.listening:
	case <-ctx.Done():
		return nil
	}
	parts := make([]func(context.Context) error, 0, 2*len(d.fleet))
	for i := range d.fleet {
		parts = append(parts, d.clients[i].Run, d.fleet[i].Run)
	}
	return together(ctx, parts...)
}

// open makes the site: open to all, on loopback only.
func (d *demo) open(ctx context.Context, dir string) error {
	passcode, err := readSecret(d.env.Getenv("MUSTER_BROKER_PASSCODE_FILE"))
	if err != nil {
		return fmt.Errorf("reading the broker's passcode: %w", err)
	}
	listen, err := d.address()
	if err != nil {
		return err
	}
	d.site, err = openSite(ctx, siteConfig{
		dir: dir, listen: listen, brokers: d.brokers, vhost: d.env.Getenv("MUSTER_BROKER_VHOST"),
		login: d.env.Getenv("MUSTER_BROKER_LOGIN"), passcode: passcode,
		store: d.store, open: true, collectives: []string{agent.DefaultCollective},
		name: "registry", now: d.env.Now, log: d.logger(slog.LevelError),
	})
	return err
}

// address is --listen, or the first free port from 8280: two demos may run.
func (d *demo) address() (string, error) {
	if d.listen != "" {
		host, _, err := net.SplitHostPort(d.listen)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "", usageFault("--listen %s: the demo is open to everybody, so it listens on loopback only, such as 127.0.0.1:8280", d.listen)
		}
		return d.listen, nil
	}
	for port := 8280; port < 8380; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return defaultListen, nil
}

// cast gives every node of the fleet, and this host, a certificate, a
// connection and a daemon of its own.
func (d *demo) cast(ctx context.Context, dir string) error {
	fleet, err := readFleet(d.nodes)
	if err != nil {
		return err
	}
	checks := filepath.Join(dir, "nrpe.cfg")
	line := fmt.Sprintf("command[check_load]=\"%s\" demo check\n", d.env.Executable)
	if err := os.WriteFile(checks, []byte(line), 0o600); err != nil {
		return fmt.Errorf("writing the demo's checks: %w", err)
	}
	nrpe := agent.NRPE{Paths: []string{checks}}.Agent()
	for _, r := range fleet {
		if d.site.stomp == nil { // on another broker only the main collective's exchanges can be counted on
			r.Collectives = d.site.collectives
		}
		daemon := agent.Daemon{Collect: played(r, d.env.Now), Agents: []agent.Agent{nrpe}, Collectives: r.Collectives}
		if err := d.addNode(r.Identity, daemon); err != nil {
			return err
		}
	}
	name, err := agent.DefaultIdentity(ctx)
	if err != nil {
		return err
	}
	own := agent.Collector{Facts: facts.Source{Facter: "off"}} // Facter takes a second
	return d.addNode(name, agent.Daemon{Collect: own.Collect, Agents: []agent.Agent{nrpe}})
}

func (d *demo) addNode(name string, daemon agent.Daemon) error {
	pair, err := d.site.issue(name, pki.RoleNode)
	if err != nil {
		return err
	}
	daemon.Sealer, err = wire.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		return err
	}
	daemon.Counter, err = wire.OpenCounter("", d.env.Now)
	if err != nil {
		return err
	}
	conf := bus.Config{
		Brokers: d.site.brokerURIs, Vhost: d.site.vhost, Login: d.site.login, Passcode: d.site.passcode,
		Now: d.env.Now, Log: d.site.log,
	}
	if d.site.stomp != nil {
		conf.Login, conf.Passcode = name, pki.Passcode(d.site.secret, name)
	}
	client := bus.NewClient(conf)
	daemon.Bus, daemon.Now, daemon.Log, daemon.Version = client, d.env.Now, d.site.log, version()
	daemon.Opener = &wire.Opener{Roots: rootsOf(pair), Now: d.env.Now, Expect: []wire.Kind{wire.Request, wire.Receipt}}
	daemon.Interval = demoInterval
	d.fleet, d.clients = append(d.fleet, daemon), append(d.clients, client)
	return nil
}
