package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// SECURITY.md names no test that does not exist, and every test of a threat.
func TestThreatsHaveTheirTests(t *testing.T) {
	paper, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, index, found := strings.Cut(string(paper), "## Threats")
	if !found {
		t.Fatal("SECURITY.md has no index of threats")
	}
	defined := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			defined[m[1]] = true
		}
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(index, -1) {
		named[m[1]] = true
		if !defined[m[1]] {
			t.Errorf("SECURITY.md names %s, which does not exist", m[1])
		}
	}
	for name := range defined {
		if strings.HasPrefix(name, "TestThreatT") && !named[name] {
			t.Errorf("SECURITY.md does not name %s", name)
		}
	}
}
