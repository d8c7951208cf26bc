package registrytest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/query"
	"muster/registry"
)

// Asker answers the questions of a script about the fleet it was started with.
type Asker interface {
	// Ask returns the identities that a question names, sorted. An error about
	// the question has a method Column() int, as [*query.SyntaxError] has, and
	// a text with the problem in it.
	Ask(ctx context.Context, q Question) ([]string, error)
}

// Question is one "ask" of a script.
type Question struct {
	Filters    query.Filters
	Collective string // empty: all
	State      string // as [registry.ParseStates]
	Limit      int    // 0: none
}

// RunScripts runs the fleet scripts of a folder, each as a test of its own. Start
// makes what answers from the registrations of the script's nodes, which are
// imported and fresh for each script; it cleans up after itself with t.Cleanup.
//
// A script is lines of text:
//
//	# a remark
//	node web1 os=Linux disks=["sda","sdb"] os.name=Debian class web base agent puppet collective eu seen 5m ago
//	node {"identity":"odd1","facts":{"a.b":1}} seen 5m ago
//	ask select os=Linux and !db
//		web1
//	ask state=any collective=eu limit=3 mongo {"facts.os": "Linux"}
//		nobody
//	ask flags -F country=de -C /apache/ -I /web/
//		web1 web2
//	ask param who=acme native customer=$who
//		web1
//	ask mongo {"$where": "1"}
//		error column 2 the operator $where is not allowed
//
// A fact's value is JSON where it reads as JSON, else text. Seen is 1m ago where
// it is not said; "seen never" is possible. What is asked is followed by one
// indented line: the sorted identities, nobody, or the error's column and a part
// of its text.
func RunScripts(t *testing.T, dir string, start func(t *testing.T, fleet []registry.Registration) Asker) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.test"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fleet scripts in %s: %v", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".test"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseScript(string(text), time.Now())
			if err != nil {
				t.Fatalf("%s:%v", path, err)
			}
			if len(s.fleet) == 0 || len(s.asks) == 0 {
				t.Fatalf("%s has %d nodes and asks %d questions", path, len(s.fleet), len(s.asks))
			}
			asker := start(t, s.fleet)
			for _, a := range s.asks {
				if problem := a.try(t.Context(), asker); problem != "" {
					t.Errorf("%s:%d: %s\n\tasked %s", path, a.line, problem, a.text)
				}
			}
		})
	}
}

// script is a parsed fleet script.
type script struct {
	fleet []registry.Registration
	asks  []ask
}

// ask is a question and what is expected.
type ask struct {
	line     int
	text     string
	question Question
	names    []string // expected, unless column is set
	column   int      // expected of an error
	problem  string   // part of the error's text
}

// try asks and returns what is wrong with the answer.
func (a ask) try(ctx context.Context, asker Asker) string {
	names, err := asker.Ask(ctx, a.question)
	switch {
	case a.column == 0 && err != nil:
		return "error " + err.Error()
	case a.column == 0 && !slices.Equal(names, a.names):
		return "answer " + nobody(names) + "\n\twant " + nobody(a.names)
	case a.column == 0:
		return ""
	case err == nil:
		return "answer " + nobody(names) + ", want an error with " + a.problem
	}
	positioned, ok := errors.AsType[positionedError](err)
	switch {
	case !ok:
		return "an error without a column: " + err.Error()
	case positioned.Column() != a.column:
		return "another column: " + err.Error()
	case !strings.Contains(err.Error(), a.problem):
		return "another error: " + err.Error()
	}
	return ""
}

// positionedError is an error about the text of a question.
type positionedError interface {
	error
	Column() int
}

func nobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, " ")
}
