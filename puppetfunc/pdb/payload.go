package pdb

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"muster/registry"
)

// read understands the payload of a command that is held here.
func (c *Command) read(payload []byte) error {
	s := registry.ReadStrict(payload)
	if c.Name == DeactivateNode && s.Kind() == '"' {
		return c.readName(s)
	}
	field := map[string]func(registry.Strict, string) error{
		ReplaceFacts: c.factsField, ReplaceCatalog: c.catalogField, StoreReport: c.reportField,
		DeactivateNode: func(s registry.Strict, _ string) error { return s.Skip() },
	}[c.Name]
	certname := ""
	err := s.Object("the payload of "+c.Name, func(key string) (err error) {
		switch key {
		case "certname":
			certname, err = s.Text(key)
		case "producer_timestamp":
			err = c.produced(s)
		default:
			err = field(s, key)
		}
		return err
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return s.Refuse(c.Certname, err)
	}
	return c.named(certname)
}

// readName reads the payload of old commands that is a certname alone, as JSON
// or, older still, as a text that holds JSON.
func (c *Command) readName(s registry.Strict) error {
	name, err := s.Text("the payload")
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return s.Refuse(c.Certname, err)
	}
	if strings.HasPrefix(name, `"`) {
		inner := registry.ReadStrict([]byte(name))
		if name, err = inner.Text("the payload"); err != nil {
			return inner.Refuse(c.Certname, err)
		}
	}
	return c.named(name)
}

func (c *Command) produced(s registry.Strict) error {
	text, err := s.Text("producer_timestamp")
	if err != nil || text == "" {
		return err
	}
	c.Produced, err = moment(text)
	return err
}

// say returns the registration that a command makes from a source, to be
// filled in.
func (c *Command) say(source registry.Source) *registry.Registration {
	for i := range c.Registrations {
		if c.Registrations[i].Source == source {
			return &c.Registrations[i]
		}
	}
	c.Registrations = append(c.Registrations, registry.Registration{Source: source})
	return &c.Registrations[len(c.Registrations)-1]
}

// factsField reads the facts. What Puppet's server vouches for, trusted, is
// kept apart; the environment is a fact unless the node has one of that name.
func (c *Command) factsField(s registry.Strict, key string) error {
	facts := c.say(registry.PuppetFacts)
	switch key {
	case "values":
		values, err := s.Facts()
		if err != nil {
			return err
		}
		trusted, _ := values[string(registry.Trusted)].(map[string]any)
		delete(values, string(registry.Trusted))
		facts.Facts = with(values, facts.Facts)
		facts.Trusted, facts.Body = trusted, c.body
		return nil
	case "environment":
		environment, err := s.Text(key)
		if environment != "" {
			facts.Facts = with(facts.Facts, map[string]any{key: environment})
		}
		return err
	}
	return s.Skip()
}

// with puts into facts those of others that are not in it.
func with(facts, others map[string]any) map[string]any {
	if facts == nil {
		return others
	}
	for name, v := range others {
		if _, told := facts[name]; !told {
			facts[name] = v
		}
	}
	return facts
}

// catalogField reads the names of classes, and passes over all else.
func (c *Command) catalogField(s registry.Strict, key string) error {
	catalog := c.say(registry.Catalog)
	if key != "resources" {
		return s.Skip()
	}
	return s.List(key, func() error {
		kind, title := "", ""
		err := s.Object("each of resources", func(key string) (err error) {
			switch key {
			case "type":
				kind, err = s.Text(key)
			case "title":
				title, err = s.Text(key)
			default:
				err = s.Skip()
			}
			return err
		})
		if class := strings.ToLower(title); kind == "Class" && class != "settings" && class != "main" && class != "" {
			catalog.Classes = append(catalog.Classes, class)
		}
		return err
	})
}

// What is kept of a report, under the names that it has there.
var (
	reportTexts  = []string{"status", "environment", "puppet_version", "configuration_version", "cached_catalog_status"}
	reportFlags  = []string{"noop", "noop_pending", "corrective_change"}
	reportCounts = []string{"total", "skipped", "failed", "failed_to_restart", "restarted", "changed", "out_of_sync", "scheduled"}
)

// reportField reads how a run went: the fact last_run. Logs and events are
// passed over.
func (c *Command) reportField(s registry.Strict, key string) error {
	report := c.say(registry.Report)
	if report.Facts == nil {
		report.Facts = map[string]any{"last_run": map[string]any{}}
	}
	run := report.Facts["last_run"].(map[string]any) // made above
	switch {
	case slices.Contains(reportTexts, key):
		text, err := s.Text(key)
		if text != "" {
			run[key] = text
		}
		return err
	case slices.Contains(reportFlags, key):
		v, err := s.Value()
		if flag, ok := v.(bool); ok {
			run[key] = flag
		}
		return err
	case key == "end_time":
		text, err := s.Text(key)
		if err != nil || text == "" {
			return err
		}
		at, err := moment(text)
		run["time"] = at.Format(time.RFC3339)
		return err
	case key == "metrics":
		return readMetrics(s, run)
	}
	return s.Skip()
}

// readMetrics takes the counts of resources and the length of the run.
func readMetrics(s registry.Strict, run map[string]any) error {
	if s.Kind() == 'n' {
		return s.Skip()
	}
	return s.List("metrics", func() error {
		category, name := "", ""
		var value any
		err := s.Object("each of metrics", func(key string) (err error) {
			switch key {
			case "category":
				category, err = s.Text(key)
			case "name":
				name, err = s.Text(key)
			case "value":
				value, err = s.Value()
			default:
				err = s.Skip()
			}
			return err
		})
		switch {
		case !isNumber(value):
		case category == "resources" && slices.Contains(reportCounts, name):
			run[name] = value
		case category == "time" && name == "total":
			run["seconds"] = value
		}
		return err
	})
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, json.Number:
		return true
	}
	return false
}
