package cli

import (
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
