package cli

import (
	"time"

	"muster/registry"
)

// lifecycleConfig says when silent nodes change state; what is left out is as
// docs/config.md shows it.
type lifecycleConfig struct {
	ruleConfig  `yaml:",inline"`
	FreezeShare float64               `yaml:"freeze_share"` // negative: never
	PurgeShare  float64               `yaml:"purge_share"`
	Collectives map[string]ruleConfig `yaml:"collectives"`
}

type ruleConfig struct {
	Interval       duration `yaml:"interval"`
	StaleIntervals int      `yaml:"stale_intervals"`
	ExpireAfter    duration `yaml:"expire_after"`
	PurgeAfter     duration `yaml:"purge_after"` // negative: never
}

func (r ruleConfig) rule() registry.Rule {
	return registry.Rule{
		Interval: time.Duration(r.Interval), StaleIntervals: r.StaleIntervals,
		ExpireAfter: time.Duration(r.ExpireAfter), PurgeAfter: time.Duration(r.PurgeAfter),
	}
}

func (l lifecycleConfig) lifecycle() registry.Lifecycle {
	out := registry.Lifecycle{Rule: l.rule(), FreezeShare: l.FreezeShare, PurgeShare: l.PurgeShare}
	for name, r := range l.Collectives {
		if out.Collectives == nil {
			out.Collectives = map[string]registry.Rule{}
		}
		out.Collectives[name] = r.rule()
	}
	return out
}

// historyConfig says how long events are remembered.
type historyConfig struct {
	Age       duration `yaml:"age"`       // 0: 90 days
	Megabytes int64    `yaml:"megabytes"` // 0: 256
}

func (h historyConfig) retention() registry.Retention {
	return registry.Retention{Age: time.Duration(h.Age), Bytes: h.Megabytes << 20}
}
