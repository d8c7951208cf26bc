package registry

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// DefaultVolatile are the paths of facts that differ in every registration, as
// Facter names them: uptime, load, what is free and used.
func DefaultVolatile() []string {
	return []string{
		"uptime", "uptime_days", "uptime_hours", "uptime_seconds", "system_uptime",
		"load_averages", "last_run.time", "last_run.seconds",
		"memoryfree", "memoryfree_mb", "swapfree", "swapfree_mb",
		"memory.*.available", "memory.*.available_bytes", "memory.*.capacity", "memory.*.used", "memory.*.used_bytes",
		"mountpoints.*.available", "mountpoints.*.available_bytes", "mountpoints.*.capacity", "mountpoints.*.used", "mountpoints.*.used_bytes",
	}
}

// volatility is a set of paths of facts, as a tree: the key "*" is any key. An
// empty one, as opposed to nil, is the end of a path and holds all below it.
type volatility map[string]volatility

// parseVolatility reads patterns such as "memory.*.used". A part in double
// quotes may hold dots.
func parseVolatility(patterns []string) (volatility, error) {
	root := volatility{}
	for _, pattern := range patterns {
		parts := splitPath(strings.TrimPrefix(pattern, "facts."))
		if slices.Contains(parts, "") {
			return nil, fmt.Errorf("the pattern %s of volatile facts has an empty part", quoted(pattern))
		}
		root.add(parts)
	}
	return root, nil
}

// add puts in a path, unless a shorter one holds it already.
func (v volatility) add(parts []string) {
	next, known := v[parts[0]]
	switch {
	case len(parts) == 1:
		v[parts[0]] = volatility{}
	case known && len(next) == 0:
		// All below is volatile.
	default:
		if !known {
			next = volatility{}
			v[parts[0]] = next
		}
		next.add(parts[1:])
	}
}

// under returns what holds below a key, and whether the key itself is volatile.
func (v volatility) under(key string) (below volatility, whole bool) {
	named, isNamed := v[key]
	every, isEvery := v["*"]
	switch {
	case isNamed && len(named) == 0, isEvery && len(every) == 0:
		return nil, true
	case !isNamed:
		return every, false
	case !isEvery:
		return named, false
	}
	both := maps.Clone(named)
	for k, sub := range every {
		if old, ok := both[k]; !ok || len(old) > 0 {
			both[k] = sub
		}
	}
	return both, false
}

// hash is a fingerprint of what a source says, but for what is volatile in it.
func (v volatility) hash(s *Section) string {
	var sum contentSum
	for name, value := range s.Facts {
		sum.add(v.term(name, value))
	}
	b := appendStrings(make([]byte, 0, 4<<10), s.Classes)
	b = appendStrings(b, s.Agents)
	b = appendStrings(b, s.Collectives)
	sum.add(strconv.AppendInt(b, int64(s.Interval), 10))
	return sum.String()
}

// term is what counts of a fact; nil: nothing does.
func (v volatility) term(name string, value any) []byte {
	below, whole := v.under(name)
	if whole {
		return nil
	}
	b := append(appendString(make([]byte, 0, 256), name), ':')
	if inner, ok := value.(map[string]any); ok && len(below) > 0 {
		return below.appendStable(b, inner)
	}
	return appendValue(b, value)
}

// appendStable writes an object without its volatile parts.
func (v volatility) appendStable(b []byte, m map[string]any) []byte {
	var room [64]string
	keys := slices.AppendSeq(room[:0], maps.Keys(m))
	slices.Sort(keys)
	b = append(b, '{')
	for _, k := range keys {
		below, whole := v.under(k)
		if whole {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		if inner, ok := m[k].(map[string]any); ok && len(below) > 0 {
			b = below.appendStable(b, inner)
		} else {
			b = appendValue(b, m[k])
		}
	}
	return append(b, '}')
}
