package query

import (
	"errors"
	"strings"
	"testing"
)

// Patterns that other engines read differently, or not at all, are refused
// where the trouble is, with the way to say it.
func TestForeignPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, at, problem, want string }{
		{`a(?=b)`, "(?=b)", "look-ahead", ""}, {`a(?!b)`, "(?!b)", "look-ahead", ""}, {`(?<=a)b`, "(?<=a)b", "look-behind", ""}, {`(?<!a)b`, "(?<!a)b", "look-behind", ""},
		{`(a)\1`, `\1`, "back-reference", ""}, {`a++`, "++", "possessive", "+"}, {`a*+b`, "*+b", "possessive", "*"}, {`a?+`, "?+", "possessive", "?"},
		{`(?>a)`, "(?>a)", "atomic", ""}, {`(?~a)`, "(?~a)", "absence", ""}, {`(?#x)a`, "(?#x)a", "comment", ""},
		{`a\Z`, `\Z`, `\Z`, `\z`}, {`\h+`, `\h+`, "hexadecimal digit in Ruby", "[0-9a-fA-F]"}, {`\Qa\E`, `\Qa\E`, "differently", "backslash"}, {`\u263a`, `\u263a`, `\u`, `\x{263a}`},
		{`\R`, `\R`, "not supported", ""}, {`\X`, `\X`, "not supported", ""}, {`\K`, `\K`, "not supported", ""}, {`\G`, `\G`, "not supported", ""}, {`\e`, `\e`, "not supported", ""}, {`\cA`, `\cA`, "not supported", ""},
		{`a{,3}`, "{,3}", "{,3} is read differently", "{0,3}"}, {`[a&&b]`, "&&b]", "&&", `\&`}, {`[[:alpha:]&&b]`, "&&b]", "&&", ""},
		{`(?x)a`, "(?x", "", ""}, {`\p{Alpha}`, `\p{Alpha}`, "not supported", ""}, {`a{1001}`, "{1001}", "repeats too much", ""}, {`((a{100}){100}){100}`, "", "repeats too much", ""},
		{`*a`, "*a", "nothing to repeat", ""}, {`a)`, "", `")" too many`, ""}, {`(a(b`, "(b", "never closed", ""}, {`a[b`, "[b", `"[" that is never closed`, ""}, {`a\`, `\`, "lone backslash", ""},
		{`[z-a]`, "z-a]", "not supported", ""}, {`\(\[a(`, "(", "never closed", ""},
	} {
		q, err := Parse("a =~ "+quote(c.pattern), Options{Dialect: "native"})
		syn, ok := errors.AsType[*SyntaxError](err)
		if !ok {
			t.Errorf("/%s/ is read as %s", c.pattern, Tree(q.Filter))
			continue
		}
		if strings.Contains(syn.Suggestion, "and ") {
			t.Errorf("/%s/ is torn apart: %s", c.pattern, syn.Suggestion)
		}
		if !strings.Contains(syn.Problem, c.problem) || !strings.Contains(syn.Want, c.want) {
			t.Errorf("/%s/: %s; want %s", c.pattern, syn.Problem, syn.Want)
		}
		q, err = Parse("a =~ /"+c.pattern+"/", Options{Dialect: "native"})
		if syn, ok := errors.AsType[*SyntaxError](err); ok && c.at != "" && !strings.HasPrefix(syn.Text[syn.Offset:], c.at) && !strings.HasSuffix(c.pattern, `\`) && !strings.Contains(c.pattern, "[") {
			t.Errorf("/%s/: the mistake is at %q, want %q", c.pattern, syn.Text[syn.Offset:], c.at)
		} else if !ok && err == nil {
			t.Errorf("/%s/ is read as %s", c.pattern, Tree(q.Filter))
		}
	}
}

// What RE2 and the others read alike is taken.
func TestPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, text string }{
		{`/^a.c$/`, "abc"}, {`/A/i`, "xax"}, {`/^b/m`, "a\nb"}, {`/a.b/s`, "a\nb"}, {`/(?i)A/`, "a"}, {`/[[:alpha:]]+$/`, "1x"}, {`/[]x]/`, "]"}, {`/[^]x]/`, "a"}, {`/a\/b/`, "a/b"},
		{`/[/]/`, "/"}, {`/\x{263a}/`, "☺"}, {`/(?P<n>a)/`, "a"}, {`/(?<n>a)/`, "a"}, {`/a{2,3}/`, "aa"}, {`/\bx\b/`, "a x b"}, {`/\pL/`, "é"}, {`/a b # c/x`, "ab"}, {`/[ #]\ x # y/x`, "# x"}, {`/[^ a]b/x`, "xb"},
		{`/a\&b[\&&]/`, "a&b&"}, {`/\z/`, ""}, {"/a #b\nc/x", "ac"}, {`/\Aa/im`, "A"},
	} {
		q, err := Parse("a =~ "+c.pattern, Options{Dialect: "native"})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if !Matches(q.Filter, &Document{Facts: map[string]any{"a": c.text}}, testNow) {
			t.Errorf("%s does not match %q", c.pattern, c.text)
		}
	}
	q, err := Parse("a =~ /^b$/", Options{Dialect: "native"})
	if err != nil || Matches(q.Filter, &Document{Facts: map[string]any{"a": "b\n"}}, testNow) {
		t.Error("$ matches before a final newline")
	}
}
