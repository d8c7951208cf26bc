package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/puppetfunc/pdb/shadow"
)

func (a *app) compareCommand() *cobra.Command {
	var from puppetDBFlags
	var n int
	var seed uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare --puppetdb URL",
		Short: "ask a PuppetDB and the server the same questions, and explain where they differ",
		Long: `The questions are made from the facts and classes of some of the PuppetDB's nodes, and are the same for the same nodes and seed. A node that only one
side names is explained by what the sides say of it, or by a rule by which muster differs on purpose (docs/puppetdb.md). Exit status 1: a difference is left
that nothing explains.`,
		Example: `  muster compare --puppetdb https://puppetdb.example.net:8081
  muster compare --puppetdb http://127.0.0.1:8080 --questions 2000 --seed 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.url == "" {
				return usageFault("say which PuppetDB: --puppetdb URL")
			}
			if n < 1 || n > 100_000 {
				return usageFault("--questions must be from 1 to 100000")
			}
			c, err := a.newComparing(from)
			if err != nil {
				return err
			}
			report, err := c.run(cmd.Context(), n, seed)
			if err != nil {
				return err
			}
			return report.print(a, asJSON)
		},
	}
	from.add(cmd.Flags(), "the PuppetDB, a `URL`")
	cmd.Flags().IntVar(&n, "questions", 200, "how many questions to ask")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "another one makes other questions")
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	return of(classOther, cmd)
}

// side is one of the two that are asked.
type side struct {
	ask   func(ctx context.Context, pql string) ([]byte, error)
	known map[string]*shadow.Node // by certname in lower case; nil: it has no such node
}

// comparing asks both sides.
type comparing struct{ theirs, ours side }

func (a *app) newComparing(from puppetDBFlags) (*comparing, error) {
	p, err := a.puppetDB(from)
	if err != nil {
		return nil, err
	}
	c, err := a.newClient()
	if err != nil {
		return nil, err
	}
	return &comparing{
		theirs: side{p.ask, map[string]*shadow.Node{}},
		ours:   side{c.pdbAsk, map[string]*shadow.Node{}},
	}, nil
}

// pdbAsk asks the registry as a client of PuppetDB does.
func (c *client) pdbAsk(ctx context.Context, pql string) (answer []byte, err error) {
	payload, err := json.Marshal(map[string]string{"query": pql})
	if err != nil {
		return nil, err
	}
	err = c.each(ctx, func(server string) error {
		status, text, err := c.ask(ctx, patience, server, http.MethodPost, "/pdb/query/v4", "application/json", payload)
		switch {
		case err != nil:
			return err
		case status != http.StatusOK: // said in plain words, which PuppetDB's clients want
			return &apiError{Status: status, Message: printable(firstLine(text)), server: server}
		}
		answer = text
		return nil
	})
	return answer, err
}

// learn finds out what a side says of nodes.
func (s *side) learn(ctx context.Context, names []string) error {
	names = slices.DeleteFunc(names, func(name string) bool { _, known := s.known[name]; return known })
	for some := range slices.Chunk(names, puppetDBPage) {
		list, err := json.Marshal(some)
		if err != nil {
			return err
		}
		nodes, err := s.nodes(ctx, fmt.Sprintf("certname in %s", list))
		if err != nil {
			return err
		}
		for _, name := range some {
			s.known[name] = nodes[name]
		}
	}
	return nil
}

func (s *side) nodes(ctx context.Context, condition string) (map[string]*shadow.Node, error) {
	inventory, err := s.ask(ctx, fmt.Sprintf("inventory[certname, facts] { %s }", condition))
	if err != nil {
		return nil, err
	}
	names, err := shadow.ReadNames(inventory)
	if err != nil {
		return nil, err
	}
	list, err := json.Marshal(append(names, "")) // a list must not be empty
	if err != nil {
		return nil, err
	}
	classes, err := s.ask(ctx, fmt.Sprintf(`resources[certname, title] { type = "Class" and certname in %s }`, list))
	if err != nil {
		return nil, err
	}
	return shadow.ReadNodes(inventory, classes)
}

// comparison is what came out.
type comparison struct {
	Questions   int            `json:"questions"`
	Alike       int            `json:"alike"`
	Explained   int            `json:"explained"`
	Unexplained int            `json:"unexplained"`
	Differences []differing    `json:"differences"`
	Reasons     map[string]int `json:"reasons"` // how many nodes of answers each explains
}

// differing is a question that is answered in two ways.
type differing struct {
	Question string   `json:"question"`
	PuppetDB []string `json:"only_puppetdb,omitempty"`
	Muster   []string `json:"only_muster,omitempty"`
	Why      []string `json:"why"` // empty: nothing explains it
	Open     []string `json:"unexplained,omitempty"`
	Error    string   `json:"error,omitempty"` // one side does not understand it
}

func (c *comparing) run(ctx context.Context, n int, seed uint64) (*comparison, error) {
	sample, err := c.theirs.nodes(ctx, fmt.Sprintf("order by certname limit %d", puppetDBPage))
	if err != nil {
		return nil, err
	}
	var fleet []shadow.Node
	for _, name := range slices.Sorted(maps.Keys(sample)) {
		fleet = append(fleet, *sample[name])
	}
	if len(fleet) == 0 {
		return nil, &fault{kind: faultFailed, err: fmt.Errorf("the PuppetDB has no nodes to ask about")}
	}
	report := &comparison{Questions: n, Differences: []differing{}, Reasons: map[string]int{}}
	for _, q := range shadow.Questions(fleet, n, seed) {
		d, err := c.question(ctx, q, report.Reasons)
		switch {
		case err != nil:
			return nil, err
		case d == nil:
			report.Alike++
			continue
		case d.Error != "" || len(d.Open) > 0:
			report.Unexplained++
		default:
			report.Explained++
		}
		report.Differences = append(report.Differences, *d)
	}
	return report, nil
}

// question asks both sides one; nil if they agree.
func (c *comparing) question(ctx context.Context, q shadow.Question, reasons map[string]int) (*differing, error) {
	var names [2][]string
	for i, s := range []*side{&c.theirs, &c.ours} {
		answer, err := s.ask(ctx, q.Text)
		if err == nil {
			names[i], err = shadow.ReadNames(answer)
		}
		if err != nil && (ctx.Err() != nil || isUnreachable(err)) {
			return nil, err
		}
		if err != nil {
			return &differing{Question: q.Text, Error: err.Error()}, nil
		}
	}
	only := shadow.Compare(q, names[0], names[1], nil, nil)
	if len(only) == 0 {
		return nil, nil
	}
	about := make([]string, len(only))
	for i, d := range only {
		about[i] = d.Certname
	}
	for _, s := range []*side{&c.theirs, &c.ours} {
		if err := s.learn(ctx, slices.Clone(about)); err != nil {
			return nil, err
		}
	}
	out := &differing{Question: q.Text, Why: []string{}}
	for _, d := range shadow.Compare(q, names[0], names[1], c.theirs.known, c.ours.known) {
		if d.InTheirs {
			out.PuppetDB = append(out.PuppetDB, d.Certname)
		} else {
			out.Muster = append(out.Muster, d.Certname)
		}
		switch {
		case d.Why == "":
			out.Open = append(out.Open, d.Certname)
			continue
		case !slices.Contains(out.Why, d.Why):
			out.Why = append(out.Why, d.Why)
		}
		reasons[d.Why]++
	}
	return out, nil
}

func isUnreachable(err error) bool {
	f, ok := errors.AsType[*fault](err)
	return ok && f.kind == faultUnreachable
}

func (r *comparison) print(a *app, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r); err != nil {
			return err
		}
	} else {
		for _, d := range r.Differences {
			d.print(a)
		}
		fmt.Fprintf(a.out, "%d questions: %d answered alike, %d with differences that are explained, %d with others\n", r.Questions, r.Alike, r.Explained, r.Unexplained)
	}
	if r.Unexplained > 0 {
		return &fault{kind: faultFailed}
	}
	return nil
}

func (d *differing) print(a *app) {
	fmt.Fprintln(a.out, printable(d.Question))
	for _, side := range []struct {
		who   string
		names []string
	}{{"only the PuppetDB names", d.PuppetDB}, {"only muster names", d.Muster}, {"nothing explains", d.Open}} {
		if len(side.names) > 0 {
			some := side.names[:min(len(side.names), 5)]
			more := ""
			if n := len(side.names) - len(some); n > 0 {
				more = fmt.Sprintf(" and %d more", n)
			}
			fmt.Fprintf(a.out, "  %s %s%s\n", side.who, printable(strings.Join(some, " ")), more)
		}
	}
	for _, why := range d.Why[:min(len(d.Why), 5)] {
		fmt.Fprintln(a.out, "  because "+printable(why))
	}
	if d.Error != "" {
		fmt.Fprintln(a.out, "  "+printable(d.Error))
	}
}
