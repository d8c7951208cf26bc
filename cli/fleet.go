package cli

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"muster/agent"
	"muster/registry"
)

// bundledFleet is NDJSON of 200 realistic nodes; fleet/README.md says who made it.
//
//go:embed fleet/fleet.ndjson.zst
var bundledFleet []byte

// inExamples are the nodes that the tour's examples need: the hand-made ones,
// and those of the others that are named. A smaller fleet has them too.
var inExamples = []string{
	"db1.acme.net", "db2.acme.net", "web1.acme.net", "web2.acme.net", "web1.acme.de", "app1.globex.net", "edge1.globex.net",
	"db01.ams1.acme.example.net", "db01.ams2.acme.example.net", "web01.fra1.cyberdyne.example.net",
}

// readFleet is the first n nodes of the bundled fleet, those of the examples among them.
func readFleet(n int) ([]registry.Registration, error) {
	reader, err := zstd.NewReader(bytes.NewReader(bundledFleet))
	if err != nil {
		return nil, fmt.Errorf("unpacking the bundled fleet: %w", err)
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("unpacking the bundled fleet: %w", err)
	}
	var needed, others []registry.Registration
	for line := range bytes.Lines(text) {
		r, err := registry.DecodeRegistration(bytes.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("reading the bundled fleet: %w", err)
		}
		if slices.Contains(inExamples, r.Identity) {
			needed = append(needed, r)
		} else {
			others = append(others, r)
		}
	}
	if all := len(needed) + len(others); n < len(needed) || n > all {
		return nil, usageFault("--nodes must be from %d to %d", len(needed), all)
	}
	return append(needed, others[:n-len(needed)]...), nil
}

// played is what a node of the bundled fleet says about itself.
func played(r registry.Registration, now func() time.Time) func(context.Context) agent.Snapshot {
	return func(context.Context) agent.Snapshot {
		return agent.Snapshot{Facts: r.Facts, Classes: r.Classes, Taken: now()}
	}
}
