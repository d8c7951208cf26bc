// Package indextest makes fleets of the size and shape of real ones, for tests
// and benchmarks:
//
//	fleet := indextest.Fleet{}
//	doc := fleet.Node(17) // web_nginx03.fra1.hooli.example.net, about 290 facts, 58 classes
//
// A node depends on its number and the tick alone, so that fleets are the same
// everywhere.
package indextest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"muster/query"
)

// Fleet is a way to make nodes.
type Fleet struct {
	Slim bool // about 63 facts and 12 classes a node, for very many of them
	Tick int  // the same nodes so many half hours later: what is volatile has moved
}

// Epoch is when the nodes of tick 0 were last seen, give or take some minutes.
var Epoch = time.Unix(1_750_000_000, 0).UTC()

// maker makes one node.
type maker struct {
	*rand.Rand            // of what stays
	v          *rand.Rand // of what moves
	n, tick    int
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// often picks the first the most often.
func often[T any](r *rand.Rand, of ...T) T {
	return of[int(float64(len(of))*math.Pow(r.Float64(), 1.8))]
}

func (m *maker) hex(n int) string {
	b := make([]byte, (n+1)/2)
	for i := range b {
		b[i] = byte(m.IntN(256))
	}
	return hex.EncodeToString(b)[:n]
}

func (m *maker) uuid() string {
	h := m.hex(32)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func (m *maker) mac() string {
	h := m.hex(6)
	return "52:54:00:" + h[:2] + ":" + h[2:4] + ":" + h[4:]
}

func size(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.2f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

func usage(total, used int64, kind string) map[string]any {
	return map[string]any{
		"available": size(total - used), "available_bytes": total - used, "used": size(used), "used_bytes": used,
		kind: size(total), kind + "_bytes": total, "capacity": fmt.Sprintf("%.2f%%", 100*float64(used)/float64(total)),
	}
}

func (m *maker) key(kind string, n int) map[string]any {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(m.IntN(256))
	}
	return map[string]any{
		"fingerprints": map[string]any{"sha1": "SSHFP 3 1 " + m.hex(40), "sha256": "SSHFP 3 2 " + m.hex(64)},
		"key":          base64.StdEncoding.EncodeToString(raw), "type": kind,
	}
}

func round(f float64) float64 { return math.Round(f*100) / 100 }

// Node returns the node with a number from 0 on.
func (f Fleet) Node(n int) *query.Document {
	m := &maker{
		Rand: rand.New(rand.NewPCG(uint64(n), 1)), v: rand.New(rand.NewPCG(uint64(n), uint64(2+f.Tick))),
		n: n, tick: f.Tick,
	}
	site := m.site()
	facts := m.facts(site)
	classes := m.classes(site, facts)
	if f.Slim {
		maps := []string{"os", "owner", "patch_window", "package_updates", "load_averages"}
		for name, v := range facts {
			if _, nested := v.(map[string]any); nested && !slices.Contains(maps, name) || strings.HasPrefix(name, "x_") || name == "path" || name == "filesystems" {
				delete(facts, name)
			}
		}
		classes = classes[len(classes)-12:]
	}
	return &query.Document{
		Identity: site.fqdn, Facts: facts, Classes: classes,
		Agents:      slices.Concat([]string{"discovery", "filemgr", "nrpe", "package", "puppet", "registration", "rpcutil", "service"}, site.agents),
		Collectives: []string{site.customer + "_collective", site.country + "_collective", "mcollective"},
		State:       "active", Auth: "cert", Seen: Epoch.Add(time.Duration(f.Tick)*30*time.Minute - time.Duration(m.v.IntN(1800))*time.Second),
	}
}

// Volatile are the facts that move from tick to tick and that only these nodes
// have; the others are the usual ones of Facter.
func Volatile() []string { return []string{"backup.last_success", "last_run_ok"} }
