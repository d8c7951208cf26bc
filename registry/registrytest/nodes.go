package registrytest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"muster/registry"
)

// start is the time of the first thing that happens in the suite.
var start = time.Date(2026, 11, 27, 12, 0, 0, 123_000_000, time.UTC)

// Values is one fact of each kind of value there is, by the name of the kind.
func Values() map[string]any {
	return map[string]any{
		"null":            nil,
		"true":            true,
		"false":           false,
		"zero":            int64(0),
		"smallest int":    int64(math.MinInt64),
		"largest int":     int64(math.MaxInt64),
		"beyond 2^53":     int64(1<<53 + 1),
		"float":           7.25,
		"whole float":     4.0,
		"minus zero":      math.Copysign(0, -1),
		"tenth":           0.1,
		"large float":     1.7976931348623157e308,
		"small float":     5e-324,
		"large number":    json.Number("123456789012345678901234567890"),
		"exact number":    json.Number("0.1000000000000000055511151231257827"),
		"huge number":     json.Number("1e400"),
		"empty text":      "",
		"text":            "Grüße, 世界 \u2028\u0001\t\"'\\<>&",
		"number as text":  "007",
		"long text":       strings.Repeat("x", 64<<10),
		"date":            time.Date(2026, 2, 28, 23, 59, 59, 999_000_000, time.UTC),
		"old date":        time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
		"empty list":      []any{},
		"empty object":    map[string]any{},
		"list":            []any{nil, true, int64(1), 1.5, "a", map[string]any{"k": "v"}, map[string]any{}},
		"lists in a list": []any{[]any{int64(1), []any{}}, []any{}},
		"object":          map[string]any{"a": map[string]any{"b": map[string]any{"c": []any{"d"}}}},
		"no date":         map[string]any{"$date": "yesterday"},
		"no number":       map[string]any{"$numberDecimal": "1"},
	}
}

// HostileKeys are names that a database or a language could take for something
// else.
func HostileKeys() []string {
	return []string{
		"", " ", ".", "..", "a.b", ".a", "a.", "$", "$set", "a$b", "$where", "\\", "\\\\", "\\n", "\\e",
		"．", "＄", "\\．", "\\＄", "_id", "__proto__", "constructor", "hasOwnProperty", "é", "e\u0301",
		"😀", "\u2028", "\n", "\x7f", "\"", "'", "a b", "eth0.100", "0", "-1", "*", "**", "[0]",
		strings.Repeat("k", 500),
	}
}

// node is a node with one section, of the daemon.
func node(id string, facts map[string]any) registry.Node {
	return nodeAt(registry.Identity(id), start, facts, []string{"Base"})
}

func nodeAt(id registry.Identity, at time.Time, facts map[string]any, classes []string) registry.Node {
	return registry.NewNode(id, start, map[registry.Source]*registry.Section{
		registry.Daemon: {
			Facts: facts, Classes: classes, Auth: "cert", Sequence: uint64(at.UnixNano()),
			Received: at, Changed: at, Hash: fmt.Sprint(at.UnixNano()),
		},
	})
}

func randomNode(random *rand.Rand, id registry.Identity, at time.Time) registry.Node {
	facts := map[string]any{}
	keys := HostileKeys()
	for range random.IntN(6) {
		facts[keys[random.IntN(len(keys))]] = randomValue(random, 3)
	}
	if len(facts) == 0 {
		facts = nil
	}
	return nodeAt(id, at, facts, []string{fmt.Sprintf("class%d", random.IntN(5))})
}

func randomValue(random *rand.Rand, depth int) any {
	switch kind := random.IntN(9); {
	case kind == 0:
		return nil
	case kind == 1:
		return random.IntN(2) == 0
	case kind == 2:
		return random.Int64() - random.Int64()
	case kind == 3:
		return math.Round(random.NormFloat64()*1000) / 8
	case kind == 4 && depth > 0:
		return []any{map[string]any{"e": randomValue(random, depth-1)}, "x"}
	case kind == 5 && depth > 0:
		return map[string]any{"a": randomValue(random, depth-1), "b.c": randomValue(random, depth-1)}
	case kind == 6:
		return start.Add(time.Duration(random.IntN(1e9)) * time.Millisecond)
	}
	return strings.Repeat("ab", random.IntN(40))
}
