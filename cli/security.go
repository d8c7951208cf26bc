package cli

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"muster/registry"
)

// redactConfig says which facts are secrets.
type redactConfig struct {
	Off   bool     `yaml:"off"`
	Names []string `yaml:"names"` // beside the usual ones; ! exempts
}

func (c redactConfig) redaction() registry.Redaction {
	return registry.Redaction{Off: c.Off, Names: c.Names}
}

// scopeConfig says what of the registry a reader may know; empty: all of it.
type scopeConfig struct {
	Collectives []string `yaml:"collectives"`
	Facts       []string `yaml:"facts"`
}

func scopes(c map[string]scopeConfig) map[string]registry.Scope {
	out := map[string]registry.Scope{}
	for name, s := range c {
		out[name] = registry.Scope{Collectives: s.Collectives, Facts: s.Facts}
	}
	return out
}

// forwardersConfig are certificate names and for whom each may speak: patterns
// of identities, or any where only the names are listed.
type forwardersConfig map[string][]string

// UnmarshalYAML reads a list of names, or names with lists of patterns.
func (f *forwardersConfig) UnmarshalYAML(value *yaml.Node) error {
	var names []string
	if value.Decode(&names) == nil {
		*f = forwardersConfig{}
		for _, name := range names {
			(*f)[name] = nil
		}
		return nil
	}
	patterns := map[string][]string{}
	if value.Decode(&patterns) != nil {
		return fmt.Errorf("line %d: forwarders are a list of certificate names, or {NAME: [PATTERN, …]}", value.Line)
	}
	*f = patterns
	return nil
}
