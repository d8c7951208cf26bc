package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"muster/internal/near"
)

// config is the settings file. Every key may be left out; the zero is said
// beside it. A key that is not here is an error with its line.
type config struct {
	Servers   []string `yaml:"servers"`    // registries to ask, in turn; empty: the run file's, else http://127.0.0.1:8280
	TokenFile string   `yaml:"token_file"` // file with the bearer token; empty: none
	CAFile    string   `yaml:"ca_file"`    // who signs the servers' certificates; empty: the system's
	CertFile  string   `yaml:"cert_file"`  // client certificate; empty: none
	KeyFile   string   `yaml:"key_file"`

	Brokers        []string `yaml:"brokers"` // stomp://HOST:PORT or stomp+ssl://…; empty: serve's own
	BrokerVhost    string   `yaml:"broker_vhost"`
	BrokerLogin    string   `yaml:"broker_login"`
	PasscodeFile   string   `yaml:"broker_passcode_file"`
	MainCollective string   `yaml:"main_collective"` // empty: mcollective
	Collectives    []string `yaml:"collectives"`     // empty: the main one
	Identity       string   `yaml:"identity"`        // empty: the host's full name
	OperatorDir    string   `yaml:"operator_dir"`    // key pair that seals requests to nodes

	Saved map[string]string `yaml:"saved"` // queries by name, for @name

	Data  string      `yaml:"data"` // folder of serve or agent; empty: below the user's state, /var/lib/muster for root
	Serve serveConfig `yaml:"serve"`
	Agent agentConfig `yaml:"agent"`
	SSH   sshConfig   `yaml:"ssh"`
	ENC   encConfig   `yaml:"enc"`
}

type serveConfig struct {
	Listen      string   `yaml:"listen"`       // HTTP; empty: 127.0.0.1:8280
	StompListen string   `yaml:"stomp_listen"` // embedded broker; empty: the first free port of 127.0.0.1 from 61613
	Store       string   `yaml:"store"`        // empty: the embedded store in data; mongodb://…
	Engine      string   `yaml:"engine"`       // empty: memory; store asks the MongoDB each time and keeps no nodes
	CertFile    string   `yaml:"cert_file"`    // TLS of HTTP and broker; empty: from the built-in CA
	KeyFile     string   `yaml:"key_file"`
	TLS         bool     `yaml:"tls"`       // also on loopback; off loopback it is always on
	Puppet      string   `yaml:"puppet"`    // Puppet's ssl folder: nodes prove themselves with its certificates
	Operators   []string `yaml:"operators"` // certificate names that may act on nodes
	Readers     []string `yaml:"readers"`   // certificate names that may ask, beside tokens; * stands for any letters but dots

	Forwarders forwardersConfig       `yaml:"forwarders"` // puppetservers: may ask, and register nodes
	Scopes     map[string]scopeConfig `yaml:"scopes"`     // what readers may see, by certificate name or role

	Neighbours         []string `yaml:"neighbours"`           // registries that hear the same nodes: asked for what this one missed
	NeighbourTokenFile string   `yaml:"neighbour_token_file"` // shown to them; empty: this registry's certificate is

	Redact    redactConfig    `yaml:"redact"`
	Audit     auditConfig     `yaml:"audit"`
	Rate      float64         `yaml:"rate"`     // requests a second of one principal, forwarders and administrators 20 times as many; 0: 500
	Volatile  []string        `yaml:"volatile"` // paths of facts that are no change, such as memory.*.used; empty: the usual ones
	Lifecycle lifecycleConfig `yaml:"lifecycle"`
	History   historyConfig   `yaml:"history"`

	Hiera map[string]hieraKey `yaml:"hiera"` // what GET /v1/hiera/{certname} answers beside the node itself, by key
}

type agentConfig struct {
	Interval   duration `yaml:"interval"`    // 0: 5 minutes
	Splay      duration `yaml:"splay"`       // 0: the interval
	Facter     string   `yaml:"facter"`      // path, auto or off; empty: auto
	FacterArgs []string `yaml:"facter_args"` // after facter --json, such as --show-legacy
	Facts      string   `yaml:"facts"`       // colon-separated YAML and JSON files; the later wins
	FactsDir   string   `yaml:"facts_dir"`   // empty: /etc/muster/facts.d
	Classes    string   `yaml:"classes"`     // classes.txt; empty: the known places
	NRPE       []string `yaml:"nrpe"`        // nrpe.cfg files and folders; empty: Debian's
	NRPEArgs   bool     `yaml:"nrpe_args"`   // whether a check may be given arguments
	Operators  []string `yaml:"operators"`   // certificate names that may ask this node, beside the role
	JoinFile   string   `yaml:"join_file"`   // file with the line that the node joins by, where it has no certificate yet
	Puppet     string   `yaml:"puppet"`      // Puppet's ssl folder, instead of a certificate of ours
	Registry   []string `yaml:"registries"`  // names the registry's certificate may have; empty: the role decides
}

type sshConfig struct {
	MenuFacts []string `yaml:"menu_facts"` // shown beside the names; empty: customer and environment
}

// duration reads 90s, 5m, 2h, and days as 7d.
type duration time.Duration

func (d *duration) UnmarshalYAML(value *yaml.Node) error {
	text := value.Value
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text = days + "h"
		h, err := time.ParseDuration(text)
		if err == nil {
			*d = duration(24 * h)
			return nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err == nil && parsed < 0 {
		err = errors.New("it is below zero")
	}
	if err != nil {
		return fmt.Errorf("line %d: %q is not a length of time, such as 90s, 5m or 2h", value.Line, value.Value)
	}
	*d = duration(parsed)
	return nil
}

// loadConfig reads the first settings file there is: --config, MUSTER_CONFIG,
// the user's, the system's; then lets the environment override it.
func (a *app) loadConfig() (config, error) {
	var c config
	path, err := a.configPath()
	if err != nil {
		return c, err
	}
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("reading the settings: %w", err)
		}
		if strings.HasSuffix(path, ".cfg") {
			c, err = parseMCollective(text)
		} else {
			c, err = parseConfig(text)
		}
		if err != nil {
			return c, usageFault("settings file %s: %w", path, err)
		}
	} else if c, err = legacyConfig(); err != nil {
		return c, err
	}
	a.overrideFromEnv(&c)
	return c, nil
}

func (a *app) configPath() (string, error) {
	for _, named := range []string{a.configFile, a.env.Getenv("MUSTER_CONFIG")} {
		if named == "" {
			continue
		}
		if _, err := os.Stat(named); err != nil {
			return "", usageFault("settings file %s: %w", named, errors.Unwrap(err))
		}
		return named, nil
	}
	usual := []string{filepath.Join(a.env.configDir(), "config.yaml"), "/etc/muster/muster.yaml"}
	if a.siteOnly {
		usual = usual[1:]
	}
	for _, usual := range usual {
		if _, err := os.Stat(usual); err == nil {
			return usual, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("settings file %s: %w", usual, errors.Unwrap(err))
		}
	}
	return "", nil
}

// overrideFromEnv lets MUSTER_* win over the file; flags win over both.
func (a *app) overrideFromEnv(c *config) {
	list := func(to *[]string, name string) {
		if v := a.env.Getenv(name); v != "" {
			*to = strings.Split(v, ",")
		}
	}
	text := func(to *string, name string) {
		if v := a.env.Getenv(name); v != "" {
			*to = v
		}
	}
	list(&c.Servers, "MUSTER_SERVER")
	list(&c.Brokers, "MUSTER_BROKER")
	list(&c.Collectives, "MUSTER_COLLECTIVES")
	text(&c.TokenFile, "MUSTER_TOKEN_FILE")
	text(&c.CAFile, "MUSTER_CA_FILE")
	text(&c.CertFile, "MUSTER_CERT_FILE")
	text(&c.KeyFile, "MUSTER_KEY_FILE")
	text(&c.BrokerVhost, "MUSTER_BROKER_VHOST")
	text(&c.BrokerLogin, "MUSTER_BROKER_LOGIN")
	text(&c.PasscodeFile, "MUSTER_BROKER_PASSCODE_FILE")
	text(&c.OperatorDir, "MUSTER_OPERATOR_DIR")
	text(&c.Identity, "MUSTER_IDENTITY")
	text(&c.Data, "MUSTER_DATA")
	text(&c.MainCollective, "MUSTER_MAIN_COLLECTIVE")
	text(&c.Serve.Store, "MUSTER_STORE")
	text(&c.Serve.Engine, "MUSTER_ENGINE")
	if len(a.servers) > 0 {
		c.Servers = a.servers
	}
}

// unknownKey is how the YAML library words a key that the struct lacks.
var unknownKey = regexp.MustCompile(`line (\d+): field (\S+) not found in type \S+`)

func parseConfig(text []byte) (config, error) {
	var c config
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&c)
	if err == nil || errors.Is(err, io.EOF) {
		return c, nil
	}
	if m := unknownKey.FindStringSubmatch(err.Error()); m != nil {
		key, _ := near.Word(m[2], configKeys(reflect.TypeFor[config]()))
		return c, fmt.Errorf("line %s: there is no key %q; the nearest is %q", m[1], m[2], key)
	}
	return c, errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "yaml: ", ""), "unmarshal errors:\n  "))
}

// configKeys lists every key of the settings file, sections' keys included.
func configKeys(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); name != "" {
			keys = append(keys, name)
		}
		inner := field.Type
		if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			keys = append(keys, configKeys(inner)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// collectives is what this machine takes part in, the main one first.
func (c config) collectives() []string {
	main := c.mainCollective()
	all := []string{main}
	for _, name := range c.Collectives {
		if name != main {
			all = append(all, name)
		}
	}
	return all
}

func (c config) mainCollective() string {
	if c.MainCollective != "" {
		return c.MainCollective
	}
	if len(c.Collectives) > 0 {
		return c.Collectives[0]
	}
	return "mcollective"
}

// dataDir is where serve and the agent keep what must survive a restart.
func (a *app) dataDir(c config, part string) string {
	switch {
	case c.Data != "":
		return c.Data
	case os.Geteuid() == 0:
		return filepath.Join("/var/lib/muster", part)
	default:
		return filepath.Join(a.env.stateDir(), part)
	}
}
