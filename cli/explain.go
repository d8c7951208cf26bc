package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"muster/query"
)

func (a *app) explainCommand() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:     "explain [filters] [QUERY]",
		Short:   "what was understood, in words and as the other dialects would say it",
		Example: `  muster explain -S "operatingsystem=CentOS and !environment=dev"`,
		RunE: func(_ *cobra.Command, args []string) error {
			q, err := f.parse(a, args)
			if err != nil {
				return err
			}
			a.explain(q)
			return nil
		},
	}
	f.register(a, cmd)
	return cmd
}

func (a *app) explain(q *query.Query) {
	fmt.Fprintf(a.out, "read as %s: every node for which\n%s\n\n", q.Dialect, query.Words(q.Filter))
	for _, d := range query.Dialects() {
		if d == "auto" {
			continue
		}
		text, err := query.Format(q, d)
		if err != nil {
			text = "cannot be said: " + err.Error()
		}
		fmt.Fprintf(a.out, "%-7s %s\n", d, text)
	}
}
