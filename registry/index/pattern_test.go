package index

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A pattern matches what the regular expression matches.
func TestPatternMatchesAsTheExpressionDoes(t *testing.T) {
	pieces := []string{"a", "ab", "b", "[ab]", "[^a]", "[0-9]", "\\.", ".*", "(?s:.*)", "(a)", "(b[ab])", "a+", "[0-9]{2}", "é", "[aé]", ".", "(?i:ab)", "\\d", "[[:alpha:]]", "a|b"}
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 5).Draw(t, "pieces"), "")
		text = rapid.SampledFrom([]string{"", "^"}).Draw(t, "start") + text + rapid.SampledFrom([]string{"", "$"}).Draw(t, "end")
		re := regexp.MustCompile(text)
		p := newPattern(re)
		if p.parts != nil {
			quick++
		}
		for range 20 {
			s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "7", ".", "é", "\n", "A", "\xff"}), 0, 8).Draw(t, "text"), "")
			if got, want := p.matches(s), re.MatchString(s); got != want {
				t.Fatalf("%q matches %q: %t, want %t", text, s, got, want)
			}
		}
	})
	if quick < 10 {
		t.Errorf("only %d expressions were told without the regexp package", quick)
	}
}
