package cli

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"muster/api"
	"muster/puppetfunc"
)

// hieraKey is a key of Hiera's: the nodes of a query.
type hieraKey struct {
	Query  string            `yaml:"query"`
	Bind   map[string]string `yaml:"bind"`   // $names of the query, each by the path of a fact of the node that asks
	Return string            `yaml:"return"` // a path; empty: identities
	Source string            `yaml:"source"` // catalog: classes of compiled catalogs alone; empty: all
}

func (s serveConfig) hiera() (map[string]api.HieraKey, error) {
	keys := map[string]api.HieraKey{}
	for name, k := range s.Hiera {
		if k.Source != "" && k.Source != "catalog" {
			return nil, usageFault("the settings under serve.hiera: %s: the source is catalog, or left out, not %q", name, k.Source)
		}
		keys[name] = api.HieraKey{Query: k.Query, Bind: k.Bind, Return: k.Return, Compiled: k.Source != ""}
	}
	return keys, nil
}

// encConfig says how `muster enc` classifies nodes.
type encConfig struct {
	Rules   []encRule  `yaml:"rules"`   // those that hold add up, in their order
	Default *encAnswer `yaml:"default"` // where none holds, and where nothing is known; empty: nothing, and a failure
	Cache   string     `yaml:"cache"`   // folder; empty: enc below /var/lib/muster, or the user's state
	Timeout duration   `yaml:"timeout"` // for the registry to answer; 0: 3 s
}

type encRule struct {
	Query     string `yaml:"query"` // which nodes; empty: all
	encAnswer `yaml:",inline"`
	From      map[string]string `yaml:"from"` // parameters by the path of the fact that they have the value of
}

type encAnswer struct {
	Classes     encClasses     `yaml:"classes"` // a list of names, or names with parameters
	Parameters  map[string]any `yaml:"parameters"`
	Environment string         `yaml:"environment"`
}

type encClasses map[string]map[string]any

func (c *encClasses) UnmarshalYAML(value *yaml.Node) error {
	var names []string
	if value.Kind == yaml.SequenceNode {
		if err := value.Decode(&names); err != nil {
			return fmt.Errorf("line %d: classes must be names, or names with their parameters", value.Line)
		}
		*c = encClasses{}
		for _, name := range names {
			(*c)[name] = nil
		}
		return nil
	}
	var all map[string]map[string]any
	if err := value.Decode(&all); err != nil {
		return fmt.Errorf("line %d: classes must be names, or names with their parameters", value.Line)
	}
	*c = all
	return nil
}

func (a encAnswer) classification() puppetfunc.Classification {
	said := puppetfunc.Classification{Parameters: a.Parameters, Environment: a.Environment}
	for name, parameters := range a.Classes {
		if said.Classes == nil {
			said.Classes = map[string]map[string]any{}
		}
		if parameters == nil {
			parameters = map[string]any{}
		}
		said.Classes[name] = parameters
	}
	return said
}

func (c encConfig) rules() ([]puppetfunc.Rule, *puppetfunc.Classification, error) {
	rules := make([]puppetfunc.Rule, len(c.Rules))
	for i, r := range c.Rules {
		rules[i] = puppetfunc.Rule{Query: r.Query, Classification: r.classification(), From: r.From}
	}
	if c.Default == nil {
		return rules, nil, nil
	}
	fallback := c.Default.classification()
	if err := fallback.Check(); err != nil {
		return nil, nil, usageFault("the settings under enc.default: %w", err)
	}
	return rules, &fallback, nil
}
