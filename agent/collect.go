package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"muster/agent/facts"
	"muster/registry"
)

// Collector finds what a node says about itself. Its zero value collects what
// is found in the known places.
type Collector struct {
	Facts facts.Source

	// ClassFiles are files with one class a line, read and joined. Nil means
	// the newest of Puppet's classes.txt in the places known for it; then it
	// is no fault if there is none.
	ClassFiles []string

	// ClassesStale is the age from which a class file is worth a warning.
	// 0 means 3 hours.
	ClassesStale time.Duration

	Now func() time.Time // nil means time.Now
}

// Snapshot is what a node says about itself at one moment.
type Snapshot struct {
	Facts    map[string]any
	Classes  []string
	Warnings []string // a sentence for each thing that could not be had
	Taken    time.Time
}

// Collect finds what there is. What is broken becomes a warning.
func (c Collector) Collect(ctx context.Context) Snapshot {
	s := Snapshot{Taken: clock(c.Now)()}
	s.Facts, s.Warnings = c.Facts.Collect(ctx)
	var warnings []string
	s.Classes, warnings = c.classes(s.Taken)
	s.Warnings = append(s.Warnings, warnings...)
	return s
}

// DefaultIdentity is this host's full name in lower case, or its short name
// where it has no domain.
func DefaultIdentity(ctx context.Context) (string, error) {
	name, domain := facts.HostName(ctx)
	if domain != "" {
		name += "." + domain
	}
	if _, err := registry.ParseIdentity(name); err != nil {
		return "", fmt.Errorf("the name of this host can not be its identity: %w; name one with --identity", err)
	}
	return name, nil
}

// registrationBody is the JSON of a registration: what was collected and what
// the daemon offers.
func registrationBody(s Snapshot, agents, collectives []string, interval time.Duration) ([]byte, error) {
	return json.Marshal(struct {
		Facts       map[string]any `json:"facts"`
		Classes     []string       `json:"classes"`
		Agents      []string       `json:"agents"`
		Collectives []string       `json:"collectives"`
		Interval    int64          `json:"interval"`
	}{s.Facts, s.Classes, agents, collectives, max(1, int64(interval/time.Second))})
}
