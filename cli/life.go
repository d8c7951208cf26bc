package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// missingAnswer is what GET /v1/missing answers.
type missingAnswer struct {
	Total    int      `json:"total"`
	Complete bool     `json:"complete"`
	Warnings []string `json:"warnings"`
	Nodes    []struct {
		Identity  string     `json:"identity"`
		State     string     `json:"state"`
		LastSeen  *time.Time `json:"lastseen"`
		Interval  int        `json:"interval,omitempty"`
		RenamedTo string     `json:"renamed_to,omitempty"`
	} `json:"nodes"`
}

func (a *app) missingCommand() *cobra.Command {
	var f filterFlags
	var asJSON, accept bool
	cmd := &cobra.Command{
		Use:   "missing [filters] [QUERY]",
		Short: "who does not report, and since when; the longest silent first",
		Long: `Silence counts only while the registry could hear. When too many nodes fall silent at once, states freeze until they are heard again;
--accept says that they are gone.`,
		Example: `  muster missing
  muster missing -F country=de --state stale`,
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := f.question(a, args)
			if err != nil {
				return err
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			if accept {
				var done struct{}
				if err := c.do(cmd.Context(), http.MethodPost, "/v1/thaw", nil, &done); err != nil {
					return err
				}
			}
			var answer missingAnswer
			if err := c.do(cmd.Context(), http.MethodGet, "/v1/missing?"+values.Encode(), nil, &answer); err != nil {
				return err
			}
			a.remarks(answer.Warnings)
			if asJSON {
				if err := writeJSON(a.out, answer.Nodes, true); err != nil {
					return err
				}
			} else if err := a.printMissing(answer); err != nil {
				return err
			}
			if len(answer.Nodes) == 0 {
				return &fault{kind: faultNothing}
			}
			return nil
		},
	}
	f.register(a, cmd)
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	cmd.Flags().BoolVar(&accept, "accept", false, "nodes for which states are frozen are gone: let states change again")
	return of(classFind, cmd)
}

func (a *app) printMissing(answer missingAnswer) error {
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	for _, n := range answer.Nodes {
		since := "never seen"
		if n.LastSeen != nil {
			since = a.person(n.LastSeen.Format(time.RFC3339))
		}
		if n.RenamedTo != "" {
			since += ", " + n.RenamedTo + " now"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", n.Identity, n.State, printable(since))
	}
	return table.Flush()
}

// remarks shows what an answer warns of.
func (a *app) remarks(warnings []string) {
	if a.quiet {
		return
	}
	for _, w := range warnings {
		fmt.Fprintf(a.env.Stderr, "muster: %s\n", printable(w))
	}
}

// question checks the filters here, and makes query parameters of them.
func (f *filterFlags) question(a *app, args []string) (url.Values, error) {
	if _, err := f.understand(a, args); err != nil {
		return nil, err
	}
	if f.only != "" {
		return nil, usageFault("--nodes does not go with this command; name the nodes with -I")
	}
	n, percent, err := f.parseLimit()
	if err != nil {
		return nil, err
	}
	if percent {
		return nil, usageFault("--limit takes a number here, not a share")
	}
	values := f.values("")
	values.Del("node")
	if n > 0 {
		values.Set("limit", strconv.Itoa(n))
	}
	return values, nil
}

func (a *app) deactivateCommand() *cobra.Command {
	return a.markCommand("deactivate", "take a node out of answers, even if it goes on registering")
}

func (a *app) reactivateCommand() *cobra.Command {
	return a.markCommand("reactivate", "undo deactivate")
}

func (a *app) markCommand(name, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " NODE…", Short: short, Example: "  muster " + name + " db1.acme.net",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageFault("which node? muster %s NODE", name)
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			var failed error
			for _, node := range args {
				var answer struct{ Identity, State string }
				err := c.do(cmd.Context(), http.MethodPost, nodePath(node, name), nil, &answer)
				if err != nil {
					failed = errors.Join(failed, noSuchNode(err, node))
					continue
				}
				fmt.Fprintf(a.out, "%s is %s\n", answer.Identity, answer.State)
			}
			return failed
		},
	}
	cmd.ValidArgsFunction = a.completeNodes
	return cmd
}

func nodePath(node, what string) string { return "/v1/nodes/" + url.PathEscape(node) + "/" + what }

// noSuchNode says in our words that there is no such node.
func noSuchNode(err error, node string) error {
	if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status == http.StatusNotFound && refusal.Code == "not_found" {
		return &fault{kind: faultNothing, err: errors.New(refusal.Message)}
	}
	return err
}
