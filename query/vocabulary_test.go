package query

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// known is the vocabulary of a fleet.
func known() Vocabulary {
	names := map[string]map[string]int{
		"fact": {
			"kernel": 412, "os": 400, "os.name": 400, "site": 390, "cpus": 412, "mounts": 3, "x.y": 1, `"x.y"`: 1, "order": 2, `"odd name"`: 1, "disks.sda.size": 7,
		},
		"class": {"mysql::master": 3, "Apache::Mod::Php": 20, "nginx": 40}, "agent": {"puppet": 100, "rpcutil": 412},
		"collective": {"mcollective": 412, "eu": 12}, "identity": {"web1.acme.net": 1, "db1.acme.net": 1},
	}
	return Vocabulary{
		Names: func(kind string) map[string]int { return names[kind] },
		Values: func(path string) map[string]int {
			return map[string]map[string]int{
				"site": {"ams": 200, "fra": 180, "new york": 10}, "cpus": {"4": 300, "16": 112}, "kernel": {"Linux": 412}, "os.name": {"Debian": 390, "CentOS": 10},
			}[path]
		},
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"kernal = Linux", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"os.nmae = Debian", "no node has the fact os.nmae; did you mean os.name (400 nodes)?"},
		{"zzz = 1", "no node has the fact zzz"},
		{"exists kernal", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"any kernal { a = 1 }", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"changed kernal within 1d", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"identity in { kernal = x }", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"kernel in { nginx | select kernal }", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"nginx | select kernal", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"nginx | group by kernal", "no node has the fact kernal; did you mean kernel (412 nodes)?"},
		{"mysql::mastre", "no node has the class mysql::mastre; did you mean mysql::master (3 nodes)?"},
		{"class in (nginx, ngnix)", "no node has the class ngnix; did you mean nginx (40 nodes)?"},
		{"agent = pupet", "no node has the agent pupet; did you mean puppet (100 nodes)?"},
		{"collective = ue", "no node has the collective ue; did you mean eu (12 nodes)?"},
		{"identity = web1.acme.nte", "no node is called web1.acme.nte; did you mean web1.acme.net (1 node)?"},
		{"cpus > abc", `the fact cpus is a number on 412 nodes, and a number is neither above nor below the text "abc"`},
		{"site > 5", "the fact site is text on 390 nodes, and text is neither above nor below the number 5"},
		{"x.y = 1", `x.y is both one name and a path; the one name comes first, and x."y" is the path`},
		{"site in $none", "the list after site in is empty: this is always false"},
		{"site not in $none", "the list after site not in is empty: this rejects no value"},
		{"site = /$x/", "/$x/ matches no text"},
		{"site = /a|b^c/", ""},
		{"site = /(a+^b)|x$y/", "/(a+^b)|x$y/ matches no text"},
		{"site = /[^\\x00-\\x{10FFFF}]/", `/[^\x00-\x{10FFFF}]/ matches no text`},
		{"not nginx and nginx", "nginx and its opposite can not both hold: this is always false"},
		// What is known, or can not be told, is not warned of.
		{"kernel = Linux and os.name = Debian and os = x and mounts.path = y and mounts[0].z = 1", ""},
		{"os.* = x and exists identity and APACHE::mod::php and ::nginx and agent = mcollective", ""},
		{"identity = WEB1.acme.net and class = ng* and nosuch::*", ""},
		{"site > 2.6.9 and site > b and cpus > 3 and typed(site) > 5", ""},
		{"disks.sda.size > 5 and exists disks and count(cpus) > 0 and mounts > 3", ""},
	} {
		q, err := Parse(c.text, Options{Dialect: "native", Named: map[string]any{"none": []string{}}})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := strings.Join(known().Warnings(q), "; "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// Who acts on nodes can ask that an unknown fact be an error, which says where
// it stands and what was meant.
func TestCheck(t *testing.T) {
	q, err := Parse("nginx and kernal=Linux or not site=x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	syn, ok := errors.AsType[*SyntaxError](known().Check(q))
	if !ok {
		t.Fatal("an unknown fact passed")
	}
	if syn.Text[syn.Offset:syn.End] != "kernal=Linux" || syn.Want != "kernel (412 nodes)" || syn.Suggestion != "nginx and kernel=Linux or not site=x" {
		t.Errorf("got %+v", syn)
	}
	for _, text := range []string{"nginx and kernel=Linux", "nosuch::class", "trusted.x = 1"} {
		q, err := Parse(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := known().Check(q); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := (Vocabulary{}).Check(q); err != nil {
			t.Errorf("%s, knowing nothing: %v", text, err)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		text    string // | is where the cursor stands
		start   int
		first   string // candidates begin with these
	}{
		{"native", "ker|", 0, "kernel"},
		{"native", "|", 0, "cpus kernel os os.name site nginx"},
		{"native", "nginx and k|ernel", 10, "kernel"},
		{"native", "nginx and not o|", 14, "os os.name"},
		{"native", "site |", 5, "= != =~"},
		{"native", "site = |", 7, `ams fra "new york"`},
		{"native", "site = f|", 7, "fra"},
		{"native", `site = "n|`, 7, `"new york"`},
		{"native", "site = ams |", 11, "and or |"},
		{"native", "site = ams a|", 11, "and"},
		{"native", "site in (|", 9, "ams fra"},
		{"native", "site in (ams, |", 14, "ams fra"},
		{"native", "site in |", 8, "( {"},
		{"native", "class = my|", 8, "mysql::master"},
		{"native", "agent = |", 8, "rpcutil puppet"},
		{"native", "identity = d|", 11, "db1.acme.net"},
		{"native", "cpus > |", 7, "4 16"},
		{"native", "state = |", 8, "active stale"},
		{"native", "seen > |", 7, "15m"},
		{"native", "site is |", 8, "null"},
		{"native", "exists s|", 7, "site"},
		{"native", "count(|", 6, "cpus kernel"},
		{"native", "cpus between |", 13, "4 16"},
		{"native", "nginx | |", 8, "select"},
		{"native", "nginx | group |", 14, "by"},
		{"native", "nginx | select s|", 15, "site seen"},
		{"native", "nginx | order by |", 17, "cpus"},
		{"native", "site = 'ams' |", 13, "and"},
		{"native", "'odd name' |", 11, "="},
		{"native", "(nginx) |", 8, "and"},
		{"native", "x is null |", 10, "and"},
		{"select", "my|", 0, "mysql::master"},
		{"auto", "o|", 0, "os os.name order"},
		{"with", "site=ams ng|", 9, "nginx"},
		{"with", "site=a|", 5, "ams"},
		{"with", "!ke|", 1, "kernel"},
		{"mongo", "{'facts.k|", 2, "facts.kernel"},
		{"mongo", "{site: {$e|", 8, "$elemMatch $eq $exists"},
		{"pql", "inv|", 0, "inventory"},
		{"pql", "inventory { facts.os|", 12, "facts.os.name"},
	} {
		before, after, _ := strings.Cut(c.text, "|")
		if i := strings.LastIndexByte(c.text, '|'); strings.Contains(c.text, "| ") || strings.Count(c.text, "|") > 1 {
			before, after = c.text[:i], c.text[i+1:]
		}
		start, got := known().Complete(before+after, len(before), c.dialect)
		want := strings.Fields(strings.ReplaceAll(c.first, "new york", "new_york"))
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "new york", "new_york")
		}
		if start != c.start || len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s %s: from %d %q; want from %d %q", c.dialect, c.text, start, got[:min(len(got), 12)], c.start, want)
		}
	}
	if _, got := (Vocabulary{}).Complete(strings.Repeat("a", maxBytes+1), maxBytes+1, "native"); got != nil {
		t.Errorf("a text beyond the limit is completed: %v", got)
	}
}

// What is offered can be used: a text with a candidate in it parses as far as
// it did, or further.
func TestCandidatesFit(t *testing.T) {
	for _, text := range []string{"", "nginx and ", "site = ", "site in (", "site ", "any ", "exists ", "nginx | ", "nginx | select ", "seen > "} {
		start, candidates := known().Complete(text, len(text), "native")
		for _, candidate := range candidates {
			whole := text[:start] + candidate
			_, err := Parse(whole, Options{Dialect: "native"})
			if syn, ok := errors.AsType[*SyntaxError](err); ok && syn.Offset < start+len(strings.TrimRight(candidate, "(")) && !strings.Contains(syn.Problem, "never closed") &&
				!strings.Contains(syn.Problem, "yields identities") && !strings.Contains(syn.Problem, "needs a path") {
				t.Errorf("%q: %v", whole, err)
			}
		}
	}
}
