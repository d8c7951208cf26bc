package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room says what a package may import beyond the standard library.
type room struct {
	ours  []string // packages of this module
	third []string // modules of others; a package below one of them counts
}

// ladder names every package. A package or an import that is not here fails:
// the list is the design, and changing it is a decision (docs/decisions).
var ladder = map[string]room{
	"query":            {third: []string{"github.com/alecthomas/participle/v2"}},
	"internal/near":    {},
	"internal/durable": {third: []string{"golang.org/x/sys"}},
	"internal/wire":    {ours: []string{"internal/durable"}, third: []string{"github.com/go-json-experiment/json"}},
	"internal/audit":   {},
	"internal/systemd": {},
	"internal/pki":     {ours: []string{"internal/durable"}},
	"agent/program":    {third: []string{"golang.org/x/sys"}},
	"agent/facts":      {ours: []string{"agent/program"}, third: []string{"github.com/shirou/gopsutil/v4", "go.yaml.in/yaml/v3"}},

	"internal/pack": {third: []string{"github.com/klauspost/compress"}},

	"registry":     {ours: []string{"query", "registry/index", "internal/pack"}, third: []string{"github.com/go-json-experiment/json"}},
	"internal/bus": {ours: []string{"internal/wire"}, third: []string{"github.com/go-stomp/stomp/v3"}},

	"registry/index":        {ours: []string{"query"}},
	"registry/boltstore":    {ours: []string{"registry", "internal/pack"}, third: []string{"go.etcd.io/bbolt"}},
	"registry/mongostore":   {ours: []string{"registry", "query"}, third: []string{"go.mongodb.org/mongo-driver/v2"}},
	"registry/registrytest": {ours: []string{"registry", "query"}},
	"puppetfunc":            {ours: []string{"registry", "query"}},
	"puppetfunc/pdb":        {ours: []string{"registry", "query"}},
	"puppetfunc/pdb/shadow": {ours: []string{"query"}},
	"agent": {
		ours: []string{"agent/facts", "agent/program", "registry", "internal/bus", "internal/wire", "internal/pki", "query"},
	},

	"api": {
		ours:  []string{"puppetfunc", "puppetfunc/pdb", "registry", "registry/index", "query", "internal/audit", "internal/near", "internal/pki"},
		third: []string{"github.com/go-json-experiment/json", "github.com/labstack/echo/v4", "github.com/prometheus/client_golang"},
	},

	"cli": {
		ours: []string{
			"agent", "agent/facts", "api", "internal/audit", "internal/bus", "internal/durable", "internal/near", "internal/pki", "internal/systemd", "internal/wire", "puppetfunc", "puppetfunc/pdb/shadow", "query",
			"registry", "registry/boltstore", "registry/mongostore",
		},
		third: []string{
			"github.com/klauspost/compress", "github.com/spf13/cobra", "github.com/spf13/pflag",
			"go.yaml.in/yaml/v3", "golang.org/x/term",
		},
	},
	".": {ours: []string{"cli"}},

	// What only tests and chores use.
	"registry/index/indextest": {ours: []string{"query"}},
	"internal/tally":           {},
	"internal/bench":           {ours: []string{"internal/pki", "query", "registry", "registry/boltstore", "registry/index/indextest"}},
	"internal/bus/rabbittest":  {},

	"registry/mongostore/ferrettest": {},
}

// testOnly are modules that any test may import.
var testOnly = []string{
	"github.com/go-jose/go-jose/v4", "github.com/go-stomp/stomp/v3", "github.com/rogpeppe/go-internal",
	"github.com/santhosh-tekuri/jsonschema/v6", "pgregory.net/rapid", "go.mongodb.org/mongo-driver/v2", "go.etcd.io/bbolt", "github.com/klauspost/compress",
}

// It reads the sources itself rather than asking go list, because go test
// caches a pass by the files the test opened: what a child process read does
// not count, and a stale pass is worse than none.
func TestImportsFollowTheLadder(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range goFiles(t) {
		pkg := filepath.ToSlash(filepath.Dir(file))
		seen[pkg] = true
		allowed, known := ladder[pkg]
		if !known {
			t.Errorf("%s: package %s is not on the ladder", file, pkg)
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !permitted(path, pkg, allowed, strings.HasSuffix(file, "_test.go")) {
				t.Errorf("%s imports %s, which the ladder does not allow there", file, path)
			}
		}
	}
	for pkg := range ladder {
		if !seen[pkg] {
			t.Errorf("the ladder names %s, which does not exist", pkg)
		}
	}
}

func permitted(path, pkg string, allowed room, test bool) bool {
	if own, ok := strings.CutPrefix(path, "muster/"); ok {
		if test { // a test may build a world from every room
			return true
		}
		return slices.Contains(allowed.ours, own)
	}
	if path == "muster" || !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		return true
	}
	third := allowed.third
	if test {
		third = slices.Concat(third, testOnly)
	}
	return slices.ContainsFunc(third, func(module string) bool {
		return path == module || strings.HasPrefix(path, module+"/")
	})
}

// Every package tells what it is, once, and shows an example (an indented
// block), unless it is a program.
func TestEveryPackageIsDocumented(t *testing.T) {
	docs := map[string][]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		if _, ok := docs[pkg]; !ok {
			docs[pkg] = nil
		}
		if syntax.Doc != nil {
			docs[pkg] = append(docs[pkg], syntax.Doc.Text())
		}
	}
	for pkg, texts := range docs {
		if len(texts) != 1 {
			t.Errorf("%s has %d package comments, want one", pkg, len(texts))
			continue
		}
		if !strings.Contains(texts[0], "\n\t") {
			t.Errorf("%s: the package comment shows no example", pkg)
		}
	}
}

// maxLines is the longest a file may be; a file that needs more does two things.
const maxLines = 600

func TestFilesDoOneThing(t *testing.T) {
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > maxLines {
			t.Errorf("%s has %d lines, at most %d are allowed", file, n, maxLines)
		}
		if strings.Contains(string(text), "t."+"Skip") {
			t.Errorf("%s skips a test: suites with real peers stand behind the build tag peers", file)
		}
	}
}

// Package-level state makes two servers in one process one server. A var that
// is never assigned again (a compiled grammar, a table, an error) is not state.
func TestNoInitFunctions(t *testing.T) {
	for _, file := range goFiles(t) {
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: registration by import is not used here", file)
			}
		}
	}
}

// goFiles lists the Go files of this module, tests included. A folder with a
// go.mod of its own is another module.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); path != "." && err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found %d Go files; the test looks in the wrong place", len(files))
	}
	return files
}
