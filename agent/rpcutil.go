package agent

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The longest that may be asked for, in bytes. They are not counted repeats in
// the patterns, which every start of the program would pay for.
const (
	maxFactName  = 512
	maxFactNames = 4096
)

var (
	factName  = regexp.MustCompile(`\A[\w.-]+\z`)
	factNames = regexp.MustCompile(`\A[\w., -]+\z`)
)

// rpcutil tells what the daemon knows of its node and itself.
func (d *daemon) rpcutil() Agent {
	return Agent{
		Name: "rpcutil", Version: "1.0", Description: "Tells what the daemon knows of its node and itself",
		Actions: map[string]Action{
			"ping":            d.ping,
			"inventory":       d.inventory,
			"get_fact":        d.getFact,
			"get_facts":       d.getFacts,
			"agent_inventory": d.agentInventory,
			"collective_info": d.collectiveInfo,
			"daemon_stats":    d.daemonStats,
		},
	}
}

func (d *daemon) ping(context.Context, Request) (any, error) {
	return map[string]any{"pong": d.Now().Unix()}, nil
}

func (d *daemon) inventory(ctx context.Context, _ Request) (any, error) {
	s := d.snapshot(ctx)
	return map[string]any{
		"agents": d.agentNames(), "facts": s.Facts, "classes": s.Classes, "version": d.Version,
		"main_collective": d.Collectives[0], "collectives": d.Collectives, "data_plugins": []string{},
	}, nil
}

func (d *daemon) getFact(ctx context.Context, r Request) (any, error) {
	var ask struct{ Fact string }
	switch err := decodeData(r, &ask); {
	case err != nil:
		return nil, err
	case ask.Fact == "":
		return nil, failf(MissingData, "Action get_fact needs a fact argument")
	case len(ask.Fact) > maxFactName || !factName.MatchString(ask.Fact):
		return nil, failf(InvalidData, `Cannot validate input fact: value should match ^[\w\-\.]+$`)
	}
	return map[string]any{"fact": ask.Fact, "value": lookup(d.snapshot(ctx).Facts, ask.Fact)}, nil
}

func (d *daemon) getFacts(ctx context.Context, r Request) (any, error) {
	var ask struct{ Facts string }
	switch err := decodeData(r, &ask); {
	case err != nil:
		return nil, err
	case ask.Facts == "":
		return nil, failf(MissingData, "Action get_facts needs a facts argument")
	case len(ask.Facts) > maxFactNames || !factNames.MatchString(ask.Facts):
		return nil, failf(InvalidData, `Cannot validate input facts: value should match ^\s*[\w\.\-]+(\s*,\s*[\w\.\-]+)*$`)
	}
	all, values := d.snapshot(ctx).Facts, map[string]any{}
	for name := range strings.SplitSeq(ask.Facts, ",") {
		name = strings.TrimSpace(name)
		values[name] = lookup(all, name)
	}
	return map[string]any{"values": values}, nil
}

// lookup finds a fact by its whole name, or by a path into it. An unknown one
// is nil, as the ancestor has it.
func lookup(facts map[string]any, name string) any {
	if v, ok := facts[name]; ok {
		return v
	}
	var at any = facts
	for part := range strings.SplitSeq(name, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

func (d *daemon) agentInventory(context.Context, Request) (any, error) {
	type entry struct {
		Agent       string   `json:"agent"`
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Version     string   `json:"version"`
		Timeout     float64  `json:"timeout"` // seconds
		Actions     []string `json:"actions"`
	}
	var list []entry
	for _, name := range d.agentNames() {
		a := d.agents[name]
		actions := make([]string, 0, len(a.Actions))
		for action := range a.Actions {
			actions = append(actions, action)
		}
		slices.Sort(actions)
		list = append(list, entry{a.Name, a.Name, a.Description, a.Version, a.Timeout.Seconds(), actions})
	}
	return map[string]any{"agents": list}, nil
}

func (d *daemon) collectiveInfo(context.Context, Request) (any, error) {
	return map[string]any{"main_collective": d.Collectives[0], "collectives": d.Collectives}, nil
}

func (d *daemon) daemonStats(context.Context, Request) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stats := map[string]any{
		"agents": d.agentNames(), "version": d.Version, "pid": os.Getpid(), "starttime": d.started.Unix(),
		"total": d.requests.total, "validated": d.requests.validated, "unvalidated": d.requests.unvalidated,
		"passed": d.requests.passed, "filtered": d.requests.filtered, "ttlexpired": d.requests.expired, "replies": d.requests.replies,
		"warnings": d.current.Warnings,
	}
	if !d.acknowledged.IsZero() {
		stats["registered"] = d.acknowledged.UTC().Format(time.RFC3339)
	}
	return stats, nil
}

// decodeData reads a request's arguments; none at all are as good as {}.
func decodeData(r Request, into any) error {
	if len(r.Data) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Data, into); err != nil {
		return failf(InvalidData, "the arguments are not what this action takes: want text")
	}
	return nil
}
