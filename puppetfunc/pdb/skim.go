package pdb

import (
	"strings"

	"muster/registry"
)

// Skim goes over the facts of a command without reading them, and returns a
// registration that has them as its Body, as [registry.Registry.Repeated] takes
// it: in the same words each time, without what tells when and by whom the command
// was made. Trusted facts are read. It is false for other commands, and where
// anything is not as expected: then [Command.Read] tells.
func (c *Command) Skim() (reg registry.Registration, ok bool) {
	if c.Name != ReplaceFacts {
		return reg, false
	}
	s := registry.ReadStrict(c.payload)
	facts, environment := []byte(`{"facts":{`), []byte(nil)
	certname := ""
	err := s.Object("the payload", func(key string) (err error) {
		switch key {
		case "certname":
			certname, err = s.Text(key)
		case "producer_timestamp":
			err = c.produced(s)
		case "environment":
			environment, err = s.Raw()
		case "values":
			facts = make([]byte, 0, len(c.payload)+len(environment)+64)
			facts = append(facts, `{"facts":{`...)
			facts, reg.Trusted, err = skimFacts(s, facts)
		default:
			err = s.Skip()
		}
		return err
	})
	if err != nil || s.End() != nil || c.named(certname) != nil {
		return reg, false
	}
	facts = append(facts, '}')
	if environment != nil {
		facts = append(append(facts, `,"environment":`...), environment...)
	}
	facts = append(facts, '}')
	c.body = facts
	reg.Source, reg.Body = registry.PuppetFacts, c.body
	c.date(&reg)
	return reg, true
}

// skimFacts copies facts as they are written, but for those that are trusted,
// which it reads.
func skimFacts(s registry.Strict, facts []byte) ([]byte, map[string]any, error) {
	var trusted map[string]any
	first := true
	err := s.Object("values", func(name string) error {
		if name == string(registry.Trusted) {
			v, err := s.Value()
			trusted, _ = v.(map[string]any)
			return err
		}
		value, err := s.Raw()
		if !first {
			facts = append(facts, ',')
		}
		first = false
		facts = append(append(appendName(facts, name), ':'), value...)
		return err
	})
	return facts, trusted, err
}

// appendName writes a name as JSON has it.
func appendName(out []byte, name string) []byte {
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return registry.AppendJSON(out, name)
	}
	return append(append(append(out, '"'), name...), '"')
}
