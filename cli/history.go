package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// event is what happened to one node.
type event struct {
	ID       uint64    `json:"id"`
	At       time.Time `json:"at"`
	Identity string    `json:"identity"`
	Kind     string    `json:"kind"`
	Changes  []change  `json:"changes,omitempty"`
	More     int       `json:"more,omitempty"`
}

// change is one value that changed; what is not there is nil.
type change struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
}

func (a *app) historyCommand() *cobra.Command {
	var from, to string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history NODE",
		Short: "what changed on a node, and when",
		Example: `  muster history db1.acme.net
  muster history db1.acme.net --from 7d`,
		Args: exactly(1, "one node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			values := url.Values{}
			setGiven(values, "from", from)
			setGiven(values, "to", to)
			if limit > 0 {
				values.Set("limit", strconv.Itoa(limit))
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			var answer struct {
				Complete bool
				Events   []event
			}
			if err := c.do(cmd.Context(), http.MethodGet, nodePath(args[0], "history")+"?"+values.Encode(), nil, &answer); err != nil {
				return noSuchNode(err, args[0])
			}
			if !answer.Complete {
				a.remarks([]string{fmt.Sprintf("only the last %d events are shown; --limit shows more", len(answer.Events))})
			}
			if asJSON {
				if err := writeJSON(a.out, answer.Events, true); err != nil {
					return err
				}
			}
			for _, e := range answer.Events {
				if !asJSON {
					fmt.Fprintf(a.out, "%s  %s\n", e.At.Format(time.RFC3339), e.Kind)
					a.printChanges("   ", e.Changes, e.More)
				}
			}
			if len(answer.Events) == 0 {
				return &fault{kind: faultNothing}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "not before this: an `age` such as 2h or 7d, or a date such as 2026-01-02T15:04:05Z")
	flags.StringVar(&to, "to", "", "not after this `age` or date")
	flags.IntVar(&limit, "limit", 0, "at most `N` events, the latest (default 1000)")
	flags.BoolVarP(&asJSON, "json", "j", false, "as JSON")
	cmd.ValidArgsFunction = a.completeNodes
	return of(classFind, cmd)
}

func setGiven(values url.Values, key, text string) {
	if text != "" {
		values.Set(key, text)
	}
}

// printChanges writes one changed value a line.
func (a *app) printChanges(indent string, changes []change, more int) {
	for _, c := range changes {
		path, before, after := printable(c.Path), printable(string(c.Old)), printable(string(c.New))
		switch {
		case c.Old == nil:
			fmt.Fprintf(a.out, "%s%s: + %s\n", indent, path, after)
		case c.New == nil:
			fmt.Fprintf(a.out, "%s%s: - %s\n", indent, path, before)
		default:
			fmt.Fprintf(a.out, "%s%s: %s -> %s\n", indent, path, before, after)
		}
	}
	if more > 0 {
		fmt.Fprintf(a.out, "%sand %d more, which were too many to keep\n", indent, more)
	}
}

func (a *app) diffCommand() *cobra.Command {
	var from string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff NODE [NODE2]",
		Short: "what differs on a node from some time ago, or from another node",
		Example: `  muster diff db1.acme.net --from 2h
  muster diff db1.acme.net db2.acme.net`,
		Args: atMost(2, "one node or two"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || (len(args) == 2) == (from != "") {
				return usageFault("diff takes two nodes, or one and --from AGE")
			}
			values := url.Values{}
			setGiven(values, "from", from)
			if len(args) == 2 {
				values.Set("with", args[1])
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			var answer struct {
				From    time.Time
				Since   time.Time
				Changes []change
			}
			if err := c.do(cmd.Context(), http.MethodGet, nodePath(args[0], "diff")+"?"+values.Encode(), nil, &answer); err != nil {
				return noSuchNode(err, args[0])
			}
			if answer.Since.After(answer.From) {
				a.remarks([]string{"nothing is known of it before " + answer.Since.Format(time.RFC3339)})
			}
			if asJSON {
				if err := writeJSON(a.out, answer.Changes, true); err != nil {
					return err
				}
			} else {
				a.printChanges("", answer.Changes, 0)
			}
			if len(answer.Changes) == 0 {
				return &fault{kind: faultNothing}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "as it was then: an `age` such as 2h or 7d, or a date")
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	cmd.ValidArgsFunction = a.completeNodes
	return of(classFind, cmd)
}
