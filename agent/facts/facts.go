// Package facts finds out what a node can say about itself.
//
//	source := facts.Source{Dir: "/etc/muster/facts.d", Files: []string{"/etc/mcollective/facts.yaml"}}
//	all, warnings := source.Collect(ctx)
//	all["os"].(map[string]any)["family"] // "Debian"
//
// Facts about the machine come from Facter where it is installed and from a
// collector of our own, in Facter 4's shape, where it is not. Over them go the
// facts of a facts.d folder, and over those the fact files; a later one wins,
// by top-level name. Nothing that is broken stops the rest: it becomes a
// warning.
//
// Values are nil, bool, string, json.Number, []any and map[string]any:
// numbers keep the digits they were written with.
package facts

import (
	"context"
	"errors"
	"maps"
	"time"
)

// Source says where the facts of a node come from.
type Source struct {
	// Facter is the program to ask: "" looks for facter in the path, "off"
	// uses our own collector, anything else is the program's path.
	Facter string

	FacterArgs  []string      // after --json; such as --show-legacy or --puppet
	FacterLimit time.Duration // 0 means 20 seconds

	Dir      string        // facts.d folder; "" means none
	DirLimit time.Duration // for each executable in Dir; 0 means 10 seconds

	Files []string // YAML and JSON files, later wins; see filepath.SplitList
}

// Collect returns the facts there are, and a sentence for each thing that
// could not be had.
func (s Source) Collect(ctx context.Context) (map[string]any, []string) {
	all, warnings := s.machine(ctx)
	for _, more := range []func(context.Context) (map[string]any, []string){s.folder, s.files} {
		found, warned := more(ctx)
		maps.Copy(all, found)
		warnings = append(warnings, warned...)
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all, warnings
}

// machine asks Facter, or ourselves where there is none or it fails.
func (s Source) machine(ctx context.Context) (map[string]any, []string) {
	var warnings []string
	if s.Facter != "off" {
		found, err := s.facter(ctx)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, errNoFacter) {
			warnings = append(warnings, err.Error()+"; muster's own collector is used instead")
		}
	}
	return Own(ctx), warnings
}
