package registry_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// normalized is the section that facts become.
func normalized(t *testing.T, reg registry.Registration) *registry.Section {
	t.Helper()
	reg.Identity = "db1"
	_, s, err := registry.Normalize(reg, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nested is a fact with a path of so many segments.
func nested(levels int) map[string]any {
	var v any = "end"
	for range levels {
		v = map[string]any{"k": v}
	}
	return v.(map[string]any)
}

// long is a fact whose path has so many bytes, in two keys.
func long(n int) map[string]any {
	return map[string]any{strings.Repeat("p", n-11): map[string]any{strings.Repeat("q", 10): "end"}}
}

func wide(n int) map[string]any {
	facts := map[string]any{}
	for i := range n {
		facts[fmt.Sprintf("f%06d", i)] = true
	}
	return facts
}

func list(n int) map[string]any {
	return map[string]any{"list": slices.Repeat([]any{true}, n)}
}

// TestLimits tries each limit at its edge and one past it.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name       string
		facts      func(n int) map[string]any
		limit      int
		warning    string
		keptBeyond int // facts at the top level that are kept one past the limit
	}{
		{"depth", nested, registry.MaxDepth, "deeper than 64 levels", 1},
		{"depth of lists", func(n int) map[string]any {
			var v any = "end"
			for range n - 1 {
				v = []any{v}
			}
			return map[string]any{"k": v}
		}, registry.MaxDepth, "deeper than 64 levels", 0},
		{"path", long, registry.MaxPath, "path of more than 512 bytes", 1},
		{"key", func(n int) map[string]any { return map[string]any{strings.Repeat("k", n): 1.5} }, registry.MaxPath, "path of more than 512 bytes", 0},
		{"paths", wide, registry.MaxPaths, "beyond the limit of 20000", registry.MaxPaths},
		{"elements", func(n int) map[string]any { return list(n - 1) }, registry.MaxPaths, "beyond the limit of 20000", 0},
		{"text", func(n int) map[string]any { return map[string]any{"t": strings.Repeat("x", n)} }, registry.MaxString, "more than 65536 bytes of text", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{c.limit - 1, c.limit} {
				facts := c.facts(n)
				s := normalized(t, registry.Registration{Facts: facts})
				if len(s.Warnings) > 0 || len(s.Facts) != len(facts) {
					t.Errorf("at %d: %d of %d facts kept, warnings %q; want all, without a warning", n, len(s.Facts), len(facts), s.Warnings)
				}
			}
			s := normalized(t, registry.Registration{Facts: c.facts(c.limit + 1)})
			if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], c.warning) || !strings.HasPrefix(s.Warnings[0], "1 facts") {
				t.Errorf("one past it: warnings %q, want one fact %s", s.Warnings, c.warning)
			}
			if len(s.Facts) != c.keptBeyond {
				t.Errorf("one past it: %d facts kept, want %d", len(s.Facts), c.keptBeyond)
			}
		})
	}
}

func TestListLimits(t *testing.T) {
	names := make([]string, registry.MaxList+1)
	for i := range names {
		names[i] = fmt.Sprintf("c%05d", i)
	}
	if s := normalized(t, registry.Registration{Classes: names[1:]}); len(s.Classes) != registry.MaxList || len(s.Warnings) != 0 {
		t.Errorf("%d classes, warnings %q; want %d, none", len(s.Classes), s.Warnings, registry.MaxList)
	}
	s := normalized(t, registry.Registration{Classes: names})
	if len(s.Classes) != registry.MaxList || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "1 classes beyond the limit") {
		t.Errorf("%d classes, warnings %q; want %d and a warning", len(s.Classes), s.Warnings, registry.MaxList)
	}
	s = normalized(t, registry.Registration{Agents: []string{"b", "", "a", "b", strings.Repeat("x", 513), "\xff"}})
	if fmt.Sprint(s.Agents) != "[a b]" || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "2 agents longer than") {
		t.Errorf("agents %q, warnings %q; want a, b and a warning about 2", s.Agents, s.Warnings)
	}
}

// TestWhatOnlyCodeCanSend: values that no JSON holds are left out as well.
func TestWhatOnlyCodeCanSend(t *testing.T) {
	s := normalized(t, registry.Registration{Facts: map[string]any{
		"ok": "x", "nan": math.NaN(), "inf": math.Inf(1), "int": 1, "func": func() {}, "utf8": "\xff", "nul": "\x00", "k\xff": "x",
	}})
	if len(s.Facts) != 1 || s.Facts["ok"] != "x" {
		t.Errorf("kept %v, want ok alone", s.Facts)
	}
	if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], "7 facts not UTF-8") {
		t.Errorf("warnings %q, want one about 7 facts", s.Warnings)
	}
}

// TestHostileNestingIsKeptWithoutIt: the whole way from bytes, as a node would
// send it.
func TestHostileNestingIsKeptWithoutIt(t *testing.T) {
	for _, open := range []string{`{"a":`, `[`} {
		closing := map[string]string{`{"a":`: "}", `[`: "]"}[open]
		body := `{"facts":{"ok":1,"deep":` + strings.Repeat(open, 9000) + `1` + strings.Repeat(closing, 9000) + `}}`
		reg, err := registry.DecodeRegistration([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		s := normalized(t, reg)
		if s.Facts["ok"] != int64(1) || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "deeper than 64") {
			t.Errorf("%s: ok is %v, warnings %q; want it kept, with a warning", open, s.Facts["ok"], s.Warnings)
		}
	}
}

func TestTrustedIsLeftOut(t *testing.T) {
	facts := map[string]any{"trusted": map[string]any{"role": "admin"}, "trusted.role": "admin", "trustedly": "x"}
	s := normalized(t, registry.Registration{Facts: facts})
	if len(s.Facts) != 1 || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "trusted") {
		t.Errorf("kept %v, warnings %q; want trustedly alone and a warning", s.Facts, s.Warnings)
	}
	if len(facts) != 3 {
		t.Error("the caller's facts were changed")
	}
	s = normalized(t, registry.Registration{Source: registry.Trusted, Facts: facts})
	if len(s.Facts) != 3 {
		t.Errorf("from the trusted source %v was kept, want all", s.Facts)
	}
}

func TestClockSkewIsAWarning(t *testing.T) {
	for _, c := range []struct {
		off  time.Duration
		want string
	}{{0, ""}, {5 * time.Minute, ""}, {48 * time.Hour, "48h0m0s ahead"}, {-2 * time.Hour, "2h0m0s behind"}} {
		s := normalized(t, registry.Registration{Sent: noon.Add(c.off)})
		if got := strings.Join(s.Warnings, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("off by %v: warnings %q, want %q", c.off, got, c.want)
		}
	}
}
