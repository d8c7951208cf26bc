package shadow_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"muster/puppetfunc/pdb/shadow"
)

const recording = "testdata/answers.zst"

// What a real PuppetDB 7.12 answered to 2,000 questions about 500 nodes, and
// what we answer, is the same but for differences that a rule of decision 0354
// explains, node by node.
func TestAnswersOfARealPuppetDB(t *testing.T) {
	s := muster(t)
	s.feed(t)
	nodes := s.nodes(t)
	recorded := readRecording(t)
	c := &comparison{site: s, ours: nodes, theirs: nodes, why: map[string]int{}}
	for _, q := range shadow.Questions(fleet(), asked, seed) {
		if answer, ok := recorded[q.Text]; ok {
			c.compare(t, q, answer)
		}
	}
	if c.same+c.differ < questions {
		t.Errorf("the recording knows %d of the %d questions: record it again, see testdata/README.md", c.same+c.differ, asked)
	}
	c.report(t)
}

// comparison holds answers against each other.
type comparison struct {
	site         *site
	ours, theirs map[string]*shadow.Node
	same, differ int
	why          map[string]int
	unexplained  int
}

func (c *comparison) compare(t *testing.T, q shadow.Question, theirs []string) {
	t.Helper()
	answer, err := c.site.ask(t, q.Text)
	if err != nil {
		t.Errorf("%s is refused: %v", q.Text, err)
		return
	}
	ours, err := shadow.ReadNames(answer)
	if err != nil {
		t.Fatal(err)
	}
	differences := shadow.Compare(q, theirs, ours, c.theirs, c.ours)
	if len(differences) == 0 {
		c.same++
		return
	}
	c.differ++
	for _, d := range differences {
		c.why[d.Why]++
		if d.Why == "" && c.unexplained < 20 {
			c.unexplained++
			t.Errorf("%s: %s, in PuppetDB's answer %v: nothing explains it", q.Text, d.Certname, d.InTheirs)
			break
		}
	}
}

func (c *comparison) report(t *testing.T) {
	t.Helper()
	t.Logf("%d questions are answered alike, %d not", c.same, c.differ)
	for why, n := range c.why {
		t.Logf("%6d nodes: %s", n, why)
	}
	if c.same < questions*8/10 {
		t.Errorf("only %d of %d questions are answered alike", c.same, questions)
	}
}

// A recording is a line for each question: its text, and the nodes of the
// answer by their numbers, a bit each.
func readRecording(t *testing.T) map[string][]string {
	t.Helper()
	packed, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	text, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	nodes := fleet()
	answers := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		question, bits, _ := strings.Cut(lines.Text(), "\t")
		set, err := hex.DecodeString(bits)
		if err != nil || len(set) != (fleetSize+7)/8 {
			t.Fatalf("the recording of %s is broken: %v", question, err)
		}
		answers[question] = []string{}
		for i, n := range nodes {
			if set[i/8]>>(i%8)&1 == 1 {
				answers[question] = append(answers[question], n.Certname)
			}
		}
	}
	return answers
}
