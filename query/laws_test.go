package query

import (
	"errors"
	"strings"
	"testing"
)

// options are those under which texts are read in the laws: parameters and
// saved queries exist, so that texts may use them.
func options(d Dialect) Options {
	return Options{
		Dialect:    d,
		Named:      map[string]any{"cust": "ac*me", "n": 42, "list": []string{"a", "/b", "c d"}, "path": "/var/lib"},
		Positional: []any{"x y", 7, true},
		Saved:      map[string]string{"stale": "seen > 2h", "loop": "@loop", "acme": "customer=acme mysql::master"},
		Live:       true,
	}
}

// checkText holds a text to the laws of every dialect: an error is a
// *SyntaxError with a position inside of the text; what is printed in the same
// dialect is read as the same query.
func checkText(t *testing.T, text string, d Dialect) {
	t.Helper()
	q, err := Parse(text, options(d))
	if err != nil {
		syn, ok := errors.AsType[*SyntaxError](err)
		switch {
		case !ok:
			t.Fatalf("Parse(%q) failed with %T, not *SyntaxError: %v", text, err, err)
		case syn.Offset < 0 || syn.End < syn.Offset || syn.End > len(syn.Text) || syn.Text != text:
			t.Fatalf("Parse(%q): the error is at %d to %d of %q", text, syn.Offset, syn.End, syn.Text)
		case syn.Problem == "" || strings.ContainsAny(syn.Error(), "\n"):
			t.Fatalf("Parse(%q): the error is %q", text, syn.Error())
		}
		if syn.Suggestion != "" {
			if _, err := Parse(syn.Suggestion, options(d)); err != nil {
				t.Fatalf("Parse(%q) suggests %q, which fails: %v", text, syn.Suggestion, err)
			}
		}
		_ = syn.Snippet()
		return
	}
	printed, err := Format(q, d)
	if err != nil {
		t.Fatalf("Parse(%q) is %s, which can not be printed: %v", text, queryTree(q), err)
	}
	if len(printed) > maxBytes {
		return // control characters take more room as they are printed
	}
	again, err := Parse(printed, options(d))
	if err != nil {
		t.Fatalf("Parse(%q) printed as %q, which does not parse: %v", text, printed, err)
	}
	if queryTree(again) != queryTree(q) {
		t.Fatalf("%q printed as %q:\nfirst  %s\nsecond %s", text, printed, queryTree(q), queryTree(again))
	}
}

// seeds are texts of native and select that use every rule of the grammar.
var seeds = []string{
	`environment=development and mysql::master and !role=spare`,
	`environment != dev`, `a == b and c =~ /d/ and e !~ f and g => 1 and h =< 2`,
	`role='db master' and customer=/^acme/i and country=de*`,
	`site in (ams, fra) or site not in (ams, 'f"r', /x/i, 10.0.0.0/8)`,
	`kernelversion >~ 2.6.9 and ver(kernelversion) > 2.6.9 and fold(a) = B and count(roles) >= 2`,
	`memorysize_mb > 8192 and uptime_days between 2 and 30`,
	`seen > 2h and seen < 1d12h or seen before 2026-11-01 or seen after epoch(1700000000)`,
	`ipaddress in 10.1.0.0/16 or any networking.interfaces.*.ip in 10.0.0.0/8`,
	`os.release.major >= 8 and disks.sda.size = 1 and facts."a.b".c = x and a[0][1].b = 2 and "x.y" = 3`,
	`any roles = web and all roles = web and none roles = web and count(roles) > 1`,
	`exists retired and missing retired and retired is null and a is not null and all a is null`,
	`identity = web* and agent = puppet and collective = eu and class = /^mysql/ and fact = x and state = stale and auth != cert`,
	`any disks { size > 100 and type = ssd and key = sda } and none disks {element = 3}`,
	`identity in { class=mysql::master and site=ams }`, `site not in {a=b | select site | limit 3}`,
	`@stale and customer = $cust and x = ? and y in $list and z != $path and w > $n`,
	`a=b | select identity, os.name | group by site count(), max(seen) | order by -count, os desc | limit 10 offset 20`,
	`a | sample 5 per site`, `changed os.release within 7d and b`,
	`fstat('/etc/hosts').mode=/0644$/ and fact('a.b').value=x and collective('eu').member != true and !fact('y').exists=true`,
	`roles has all (web, proxy) and disks has key sda and roles has any (a,b) and roles has web`,
	`roles = [web, proxy] and roles != [a] and x = []`,
	`( /httpd/ or /nginx/ ) and is_virtual=true`, `/a\/b[/]c/ and x=~"a/b"`, `class = "Odd Name" and class in (A::B, c*)`,
	`typed(a) != 4 and text(b)=4 and native(c) = 4.0 and text(class) =~ /X/ and mongo(d) != 'x'`,
	`missing identity or exists identity`, `a="\u00e9\ud83d\ude00\n" and b='\'\\x'`, `trusted.extensions.pp_role = x`,
	`facts.class = x and facts.facts = y and "class" = z and facts.and = 1`, `os="" `, `a between x and y`,
	`not (a or b) and not not c and !!d`, `AND`, `a AND b OR NOT c`, `a &&`, `x = !`, `a=$nosuch`, `a=b=c`, `@loop`, `@acme`,
	`vardir="/var/lib/puppet" and b=="/x/" and c !== "/y"`, `a=true and b=false and c=null`, `a >= -1.5e3`,
	`live(x)`, `any`, `all and none`, `exists`, `in=3 and is=4 and has=5`, `certexpiry before 2026-12-01 and x before 30d`,
}

func FuzzNative(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text, "native") })
}

func FuzzSelect(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text, "select") })
}

func FuzzWith(f *testing.F) {
	for _, seed := range append(seeds,
		`environment=development customer=acme mysql::master`, `country = de !nginx /mysql/ x=/a b/i`, `a!=b c==/d/ e=~"f g" "h"=i`,
		`seen>2h class!=x agent=puppet identity=web* @acme p=$path n>$n`, `x='a b' y="c\"d" z>=1.5 v>~2.6`, `!!a !x=y`, `url=http://x/y?a=b`) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text, "with") })
}
