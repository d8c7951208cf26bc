package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// caller is this operator's way to the nodes.
type caller struct {
	bus    *bus.Client
	client agent.Client
}

// newCaller finds the broker and the key pair that seals requests: settings
// first, then the run file of a server of this user on this host.
func (a *app) newCaller() (*caller, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	running, err := a.env.readRunFile()
	if err != nil {
		return nil, err
	}
	if running != nil {
		if len(c.Brokers) == 0 {
			c.Brokers, c.BrokerVhost = running.Brokers, running.Vhost
		}
		if c.BrokerLogin == "" && c.PasscodeFile == "" {
			c.BrokerLogin, c.PasscodeFile = running.Login, running.Passcode
		}
		if c.OperatorDir == "" {
			c.OperatorDir = running.Operator
		}
		if c.Serve.Puppet == "" {
			c.Serve.Puppet = running.Puppet
		}
	}
	if len(c.Brokers) == 0 {
		return nil, usageFault("which broker? Name it in the settings (brokers) or with MUSTER_BROKER; or ask on the host where muster serve runs")
	}
	if err := checkBrokers(c.Brokers); err != nil {
		return nil, err
	}
	pair, err := c.operatorKeyPair()
	if err != nil {
		return nil, err
	}
	sealer, err := wire.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		return nil, err
	}
	passcode, err := readSecret(c.PasscodeFile)
	if err != nil {
		return nil, fmt.Errorf("reading the broker's passcode: %w", err)
	}
	client := bus.NewClient(bus.Config{
		Brokers: c.Brokers, Vhost: c.BrokerVhost, Login: c.BrokerLogin, Passcode: passcode, Now: a.env.Now,
		TLS: presenting(pair, c.Brokers),
		Log: a.logger(slog.LevelError),
	})
	return &caller{bus: client, client: agent.Client{
		Bus: client, Sealer: sealer, Now: a.env.Now,
		Opener: &wire.Opener{Roots: rootsOf(pair), Now: a.env.Now, Expect: []wire.Kind{wire.Reply}},
	}}, nil
}

func (c config) operatorKeyPair() (*pki.KeyPair, error) {
	switch {
	case c.OperatorDir != "":
		return pki.LoadKeyPair(c.OperatorDir)
	case c.Serve.Puppet != "":
		return pki.LoadPuppet(c.Serve.Puppet, "")
	case c.Agent.Puppet != "":
		return pki.LoadPuppet(c.Agent.Puppet, "")
	}
	return nil, usageFault("requests to nodes are sealed by an operator's key, and none is named: set operator_dir or MUSTER_OPERATOR_DIR, or ask on the host where muster serve runs")
}

// call asks the nodes and hands each reply over as it comes. A broker that can
// not be reached is said at once, not after the time is over.
func (a *app) call(ctx context.Context, call agent.Call, each func(agent.Reply)) (agent.Outcome, error) {
	c, err := a.newCaller()
	if err != nil {
		return agent.Outcome{}, err
	}
	var outcome agent.Outcome
	err = beside(ctx, c.bus.Run, func(ctx context.Context) (err error) {
		if err := c.ready(ctx); err != nil {
			return err
		}
		outcome, err = c.client.Call(ctx, call, each)
		return err
	})
	return outcome, err
}

// ready waits for the broker, not longer than a person would.
func (c *caller) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, brokerWithin)
	defer cancel()
	if err := c.bus.Ready(ctx); err != nil {
		return unreachable("the broker does not answer: %s", c.bus.Status().LastError)
	}
	return nil
}

// checkBrokers refuses what is no broker's address before anything is begun.
func checkBrokers(brokers []string) error {
	for _, broker := range brokers {
		if u, err := url.Parse(broker); err != nil || u.Host == "" || u.Scheme != "stomp" && u.Scheme != "stomp+ssl" {
			return usageFault("broker %q is not an address such as stomp://127.0.0.1:61613 or stomp+ssl://broker.acme.net:61614", broker)
		}
	}
	return nil
}
