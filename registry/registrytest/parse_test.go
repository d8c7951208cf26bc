package registrytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
)

func TestParseScript(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s, err := parseScript(strings.Join([]string{
		"# a remark",
		`node web1 os=Linux ports=[80, 443] os_name="a b" net.eth0.mtu=1500 class web base agent puppet collective eu seen 2h ago`,
		`node {"identity":"odd","facts":{"a.b":1}} seen 3d ago`,
		"ask state=any collective=eu limit=2 native os=Linux",
		"\tweb1 web2",
		"ask param who=acme param n=7 native customer=$who",
		"\tnobody",
		`ask flags -W "a=b c" -I /x/`,
		"\terror column 3 no such thing",
	}, "\n"), now)
	if err != nil {
		t.Fatal(err)
	}
	fleet := []registry.Registration{
		{
			Identity: "web1", Source: registry.Import, Seen: now.Add(-2 * time.Hour),
			Facts: map[string]any{
				"os": "Linux", "ports": []any{int64(80), int64(443)}, "os_name": "a b",
				"net": map[string]any{"eth0": map[string]any{"mtu": int64(1500)}},
			},
			Classes: []string{"web", "base"}, Agents: []string{"puppet"}, Collectives: []string{"eu"},
		},
		{Identity: "odd", Source: registry.Import, Seen: now.Add(-72 * time.Hour), Facts: map[string]any{"a.b": int64(1)}},
	}
	if !reflect.DeepEqual(s.fleet, fleet) {
		t.Errorf("fleet\n got %+v\nwant %+v", s.fleet, fleet)
	}
	questions := []Question{
		{State: "any", Collective: "eu", Limit: 2, Filters: query.Filters{Query: "os=Linux", Dialect: "native"}},
		{Filters: query.Filters{Query: "customer=$who", Dialect: "native", Named: map[string]any{"who": "acme", "n": int64(7)}}},
		{Filters: query.Filters{With: []string{"a=b c"}, Identity: []string{"/x/"}}},
	}
	for i, want := range questions {
		if got := s.asks[i].question; !reflect.DeepEqual(got, want) {
			t.Errorf("question %d\n got %+v\nwant %+v", i, got, want)
		}
	}
	if a := s.asks[2]; a.column != 3 || a.problem != "no such thing" {
		t.Errorf("expected of the last: %+v", a)
	}
}

func TestParseScriptRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"node":                             "1: a node without a name",
		"node a b":                         `1: "b" is no fact`,
		"node a x=1 x.y=2":                 "1: x is already a value",
		"node {":                           "1: registration refused",
		"\n\thello":                        "2: an answer without a question",
		"ask native a=b\nask native c=d":   "2: the question before has no answer",
		"ask native a=b":                   "1: the last question has no answer",
		"ask klingon a=b":                  "1: ",
		"ask native a=b\n\terror column x": "2: want: error column NUMBER TEXT",
		"ask flags -W":                     "1: a flag without a value",
		"ask flags -X y":                   "1: no flag -X",
		"tell native a=b":                  `1: "tell" is neither`,
	} {
		if _, err := parseScript(text, time.Now()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// answer is an asker with one answer.
type answer struct {
	names []string
	err   error
}

func (a answer) Ask(context.Context, Question) ([]string, error) { return a.names, a.err }

// TestAWrongAnswerIsNoticed: a script must be able to fail.
func TestAWrongAnswerIsNoticed(t *testing.T) {
	_, mistake := query.Parse("os=Linux and", query.Options{Dialect: "native"})
	names := ask{names: []string{"a", "b"}}
	fault := ask{column: 13, problem: "ends too soon"}
	for i, c := range []struct {
		ask    ask
		answer answer
		want   string
	}{
		{names, answer{names: []string{"a", "b"}}, ""},
		{names, answer{names: []string{"a"}}, "answer a"},
		{names, answer{names: []string{"b", "a"}}, "answer b a"},
		{names, answer{err: errors.New("down")}, "error down"},
		{ask{names: []string{}}, answer{}, ""},
		{ask{names: []string{}}, answer{names: []string{"a"}}, "want nobody"},
		{fault, answer{err: mistake}, ""},
		{fault, answer{err: fmt.Errorf("asking: %w", mistake)}, ""},
		{fault, answer{}, "want an error"},
		{fault, answer{err: errors.New("ends too soon")}, "without a column"},
		{ask{column: 12, problem: "ends too soon"}, answer{err: mistake}, "another column"},
		{ask{column: 13, problem: "is upside down"}, answer{err: mistake}, "another error"},
	} {
		if got := c.ask.try(t.Context(), c.answer); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("case %d: %q, want %q", i, got, c.want)
		}
	}
}
