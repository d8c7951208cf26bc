package cli_test

import (
	"flag"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite generated documents with what the code says now")

// docs/cli.md is what `muster reference` prints.
func TestReferenceIsCurrent(t *testing.T) {
	w := &world{dir: t.TempDir(), env: map[string]string{}}
	r := w.run(t, "muster", "reference")
	const path = "../docs/cli.md"
	if *update {
		if err := os.WriteFile(path, []byte(r.stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != r.stdout {
		t.Error("docs/cli.md is not what `muster reference` prints; make docs rewrites it")
	}
}

// Every path that the papers name exists.
func TestPapersNameFilesThatExist(t *testing.T) {
	papers, err := filepath.Glob("../*.md")
	if err != nil || len(papers) < 5 {
		t.Fatalf("found %d papers: %v", len(papers), err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)\)|` + "`" + `((?:query|registry|agent|cli|api|puppetfunc|internal|docs|testdata)/[A-Za-z0-9_./-]*)` + "`")
	for _, paper := range papers {
		text, err := os.ReadFile(paper)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := fs.Stat(os.DirFS(".."), strings.TrimSuffix(m[1]+m[2], "/")); err != nil {
				t.Errorf("%s names %s: %v", filepath.Base(paper), m[1]+m[2], err)
			}
		}
	}
}

// The README's examples print what it shows, against the demo.
func TestReadmeExamples(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no examples")
	}
	w := startDemo(t, nil)
	for _, block := range blocks {
		for _, example := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			command, want, _ := strings.Cut(example, "\n")
			t.Run(command, func(t *testing.T) {
				got := w.typeLine(t, command)
				if !shownAs(strings.TrimSuffix(want, "\n"), strings.TrimSuffix(got, "\n")) {
					t.Errorf("the README shows\n%s\nand it is\n%s", want, got)
				}
			})
		}
	}
}

// typeLine runs a command line of the README and returns what a terminal shows.
func (w *world) typeLine(t *testing.T, line string) string {
	t.Helper()
	words := shellWords(t, line)
	if words[0] != "curl" {
		r := w.run(t, words...)
		return r.stdout + r.stderr
	}
	name, value, ok := strings.Cut(words[len(words)-1], "=")
	if !ok {
		t.Fatalf("this test does not understand %q", line)
	}
	_, path, _ := strings.Cut(words[2], "/")
	response, err := http.Get(w.server + "/" + path + "?" + url.Values{name: {value}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// shellWords splits a line as a shell does that knows quotes and nothing else.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	var quote rune
	inside := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inside = r, true
		case r == ' ':
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 {
		t.Fatalf("unclosed quote in %q", line)
	}
	if inside {
		words = append(words, word.String())
	}
	return words
}

var (
	moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	taken  = regexp.MustCompile(`(time=)[0-9.]+`)
)

// shownAs compares what is shown with what was printed: a line of … stands for
// any lines, and moments and durations may differ.
func shownAs(want, got string) bool {
	pattern := "(?s)^"
	for i, line := range strings.Split(plain(want), "\n") {
		switch {
		case line == "…":
			pattern += `(?:\n?[^\n]+)*`
			continue
		case i > 0:
			pattern += `\n`
		}
		pattern += regexp.QuoteMeta(line)
	}
	pattern = strings.ReplaceAll(pattern, `(?s)^\n`, `(?s)^`)
	return regexp.MustCompile(strings.ReplaceAll(pattern, `(?:\n?[^\n]+)*\n`, `(?:[^\n]+\n)*`) + `\n?$`).MatchString(plain(got))
}

func plain(text string) string {
	return taken.ReplaceAllString(moment.ReplaceAllString(text, "MOMENT"), "${1}T")
}
