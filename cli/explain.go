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
			a.explain(q, &f)
			return nil
		},
	}
	f.register(a, cmd)
	return cmd
}

// readAs is the dialect of the only filter that was given, or native, which
// joins several.
func (f *filterFlags) readAs(q *query.Query) query.Dialect {
	given := len(f.With) + len(f.Select) + len(f.Fact) + len(f.Class) + len(f.Agent) + len(f.Identity)
	switch {
	case f.Query == "" && given == 1 && len(f.Select) == 1:
		return "select"
	case f.Query == "" && given == 1 && len(f.With) == 1:
		return "with"
	}
	return q.Dialect
}

func (a *app) explain(q *query.Query, f *filterFlags) {
	fmt.Fprintf(a.out, "read as %s: every node for which\n%s\n\n", f.readAs(q), query.Words(q.Filter))
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
