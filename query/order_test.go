package query

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// Numbers are compared exactly, whatever their size and spelling.
func FuzzDecimal(f *testing.F) {
	for _, seed := range [][2]string{{"1", "2"}, {"-1.50", "-1.5"}, {"9007199254740993", "9007199254740992"}, {"1e3", "1000"}, {"0.1", "1e-1"}, {"-0", "0"}, {"007", "7"}, {"1e400", "2"}, {"+5", "5.0"}, {"1.", "1"}, {".5", "1"}, {"0x10", "16"}, {"1e", "1"}, {"-4", "4.5"}, {"0", "-1"}, {"-1", "0"}, {"0", "1"}, {"", "-"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := parseDecimal(a), parseDecimal(b)
		if !x.ok || !y.ok || max(x.exp, -x.exp, y.exp, -y.exp) > 500 {
			return // the judge takes its time for those
		}
		p, ok1 := new(big.Rat).SetString(strings.TrimPrefix(a, "+"))
		q, ok2 := new(big.Rat).SetString(strings.TrimPrefix(b, "+"))
		if !ok1 || !ok2 {
			t.Fatalf("%q or %q is taken for a number", a, b)
		}
		if got, want := min(max(x.compare(&y), -1), 1), p.Cmp(q); got != want {
			t.Fatalf("%s against %s: %d, want %d", a, b, got, want)
		}
	})
}

// A fact's value of any type is compared with a number like its text.
func TestNumbersOfEveryType(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
		less bool // v is below 4.5
	}{
		{int64(4), "4", true}, {int64(5), "5", false}, {4.0, "4", true}, {4.75, "4.75", false}, {"4", "4", true}, {"-4", "-4", true}, {json.Number("4"), "4", true},
		{json.Number("184467440737095516160"), "184467440737095516160", false}, {int64(math.MaxInt64), "9223372036854775807", false}, {int64(math.MinInt64), "-9223372036854775808", true},
		{0.1, "0.1", true}, {1e300, "1e300", false}, {"1e2", "100", false}, {123456789.123456789, "123456789.12345679", false},
	} {
		doc := &Document{Facts: map[string]any{"a": c.v}}
		for _, text := range []string{"a = " + c.want, "a >= " + c.want, "a <= " + c.want, "not a != " + c.want, "a in (" + c.want + ")"} {
			q, err := Parse(text, Options{Dialect: "native"})
			if err != nil || !Matches(q.Filter, doc, testNow) {
				t.Errorf("%s is false of %T %v (%v)", text, c.v, c.v, err)
			}
		}
		q, err := Parse("a < 4.5", Options{Dialect: "native"})
		if err != nil || Matches(q.Filter, doc, testNow) != c.less {
			t.Errorf("a < 4.5 of %T %v (%v)", c.v, c.v, err)
		}
	}
	for _, v := range []any{nil, true, "x", "", "0x10", "1_0", " 4", []any{}, map[string]any{}} {
		for _, text := range []string{"a < 4.5", "a >= 4.5", "a = 16"} {
			q, err := Parse(text, Options{Dialect: "native"})
			if err != nil || Matches(q.Filter, &Document{Facts: map[string]any{"a": v}}, testNow) {
				t.Errorf("%s is true of %T %v (%v)", text, v, v, err)
			}
		}
	}
}

// The ancestor's text of every type of value.
func TestTextOfEveryType(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{true, "true"}, {int64(-12345678901), "-12345678901"}, {4.0, "4.0"}, {0.5, "0.5"}, {1e20, "1.0e+20"}, {1.5e-7, "1.5e-07"}, {nil, ""}, {json.Number("12345678901234567890"), "12345678901234567890"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"}, {"", ""}, {0.0, "0.0"}, {1e15, "1000000000000000.0"},
	} {
		q, err := Parse("a = "+quote(c.text), Options{Dialect: "select"})
		if err != nil || !Matches(q.Filter, &Document{Facts: map[string]any{"a": c.v}}, testNow) {
			t.Errorf("%T %v is not %q (%v)", c.v, c.v, c.text, err)
		}
		if c.text == "" {
			continue
		}
		q, err = Parse("a =~ "+quote("^"+strings.NewReplacer(".", `\.`, "+", `\+`).Replace(c.text)+"$"), Options{Dialect: "select"})
		if err != nil || !Matches(q.Filter, &Document{Facts: map[string]any{"a": c.v}}, testNow) {
			t.Errorf("%T %v is not found as %q (%v)", c.v, c.v, c.text, err)
		}
	}
}

// Versions in ascending order; those in one line are equal.
func TestVersionOrder(t *testing.T) {
	ascending := strings.Fields("0.9 1.0~rc1 1.0-alpha1 1.0-beta2 1.0-rc1 1.0 1.0-1 1.0-2 1.0-10 1.0a 1.0+b1 1.0.1 1.2 1.10 2.6.9 2.6.32 2.6.32-5 10 1:0.1 2:0")
	same := [][2]string{{"1.0", "v1.0"}, {"1.01", "1.1"}, {"0:1.0", "1.0"}, {"1.0", "1.00"}}
	for _, pair := range same {
		if compareVersions(pair[0], pair[1]) != 0 {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
	rank := func(a string) int { return slices.Index(ascending, a) }
	for _, a := range ascending {
		for _, b := range ascending {
			got := compareVersions(a, b)
			if (got < 0) != (rank(a) < rank(b)) && a != "1.0~rc1" && b != "1.0~rc1" {
				t.Errorf("%s against %s: %d", a, b, got)
			}
			if (got < 0) != (compareVersions(b, a) > 0) {
				t.Errorf("%s and %s: the order is not the same both ways", a, b)
			}
		}
	}
	if compareVersions("1.0~rc1", "1.0") >= 0 || compareVersions("1.0~~", "1.0~") >= 0 {
		t.Error("~ does not come before the end")
	}
}

// Version order is an order: of any three, too.
func FuzzVersionOrder(f *testing.F) {
	f.Add("1.0", "1.0-rc1", "1.0~a")
	f.Add("1:2", "a.b", "..")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, bc, ac := compareVersions(a, b), compareVersions(b, c), compareVersions(a, c)
		if ab != 0 && (ab < 0) == (compareVersions(b, a) < 0) {
			t.Fatalf("%q and %q: %d both ways", a, b, ab)
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%q <= %q <= %q, but not the first and the last", a, b, c)
		}
	})
}

func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "2h": 2 * time.Hour, "7d": 168 * time.Hour, "4w": 672 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
	} {
		got, ok := parseAge(text)
		if !ok || got != want {
			t.Errorf("%s is %v", text, got)
		}
		if again, ok := parseAge(formatAge(got)); !ok || again != got {
			t.Errorf("%s is written as %s", text, formatAge(got))
		}
	}
	for _, text := range []string{"", "2", "h", "2x", "-2h", "2 h", "99999999999s", "999999999w", strings.Repeat("999999999s", 20)} {
		if age, ok := parseAge(text); ok && (text == "" || age < 0) || ok && !strings.HasPrefix(text, "999999999s") {
			t.Errorf("%q is taken for the age %v", text, age)
		}
	}
	for _, text := range []string{"2026-11-01", "2026-11-01T04:26:40Z", "2026-11-01 04:26:40", "2026-11-01 04:26", "2026-11-01T04:26:40.5+02:00", "epoch(1700000000)"} {
		if _, ok := parseTime(text); !ok {
			t.Errorf("%s is no date", text)
		}
	}
	for _, text := range []string{"2026-13-01", "1700000000", "epoch(x)", "epoch(1", "now"} {
		if at, ok := parseTime(text); ok {
			t.Errorf("%s is taken for %v", text, at)
		}
	}
}

// Globs are like regular expressions made of them.
func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "abc", true}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"?", "é", true}, {"?", "", false}, {"a?c", "abc", true}, {"*b*d*", "abcde", true}, {"*é?", "xéy", true},
		{"a**b", "ab", true}, {"ab", "ab", true}, {"ab*", "a", false}, {"*a", strings.Repeat("a", 100), true},
	} {
		if got := glob(c.text, c.pattern, false); got != c.want {
			t.Errorf("%q like %q: %v", c.text, c.pattern, got)
		}
	}
	if !glob("ÉA", "é*", true) || glob("EA", "e*", false) {
		t.Error("case is folded wrongly")
	}
}

// A column is counted in characters, an offset in bytes.
func TestErrorPlace(t *testing.T) {
	e := &SyntaxError{Dialect: "native", Text: "é=\tb\nü &&\x1b c", Offset: 9, End: 11, Problem: "bad", Want: "good", Hint: "hint", Suggestion: "x"}
	if e.Column() != 3 {
		t.Errorf("column %d", e.Column())
	}
	if got, want := e.Snippet(), "ü &&· c\n  ^^"; got != want {
		t.Errorf("snippet\n%s\nwant\n%s", got, want)
	}
	if got, want := e.Error(), "native query: column 3: bad; want good; hint; did you mean: x"; got != want {
		t.Errorf("%s", got)
	}
	tabbed := &SyntaxError{Text: "\ta &&", Offset: 3, End: 5}
	if got, want := tabbed.Snippet(), "\ta &&\n\t  ^^"; got != want {
		t.Errorf("%q", got)
	}
	long := &SyntaxError{Text: strings.Repeat("x", 500), Offset: 250, End: 251}
	if lines := strings.Split(long.Snippet(), "\n"); len([]rune(lines[0])) != 122 || len(lines[1]) != 62 {
		t.Errorf("a long line is shown as %q", lines)
	}
	if got := fmt.Sprint(clip(strings.Repeat("é", 50))); len(got) > 45 {
		t.Error(got)
	}
}
