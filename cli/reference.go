package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muster/api"
)

func (a *app) referenceCommand() *cobra.Command {
	var openapi bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "print every command and flag as Markdown: docs/cli.md is made by it",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !openapi {
				writeReference(a.out, cmd.Root())
				return nil
			}
			text, err := api.OpenAPI()
			if err == nil {
				_, err = a.out.Write(text)
			}
			return err
		},
	}
	cmd.Hidden = true
	cmd.Flags().BoolVar(&openapi, "openapi", false, "print the routes as OpenAPI instead: docs/openapi.json is made by it")
	return cmd
}

func writeReference(w io.Writer, root *cobra.Command) {
	fmt.Fprintln(w, "# The command line\n\nMade by `muster reference` (`make docs`); a test compares.")
	fmt.Fprintln(w, "\n## Flags of every command\n\n```")
	fmt.Fprint(w, root.PersistentFlags().FlagUsages())
	fmt.Fprintln(w, "```\n\n## Names that old scripts use\n\n`muster links DIR` makes them.\n\n| name | command |\n|---|---|")
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		fmt.Fprintf(w, "| `%s` | `muster %s` |\n", name, strings.Join(aliases[name], " "))
	}
	fmt.Fprintln(w, "\n## Exit status\n\n| commands | status |\n|---|---|")
	fmt.Fprintln(w, "| find, match, inventory | 0 something found, 1 nothing found, 2 not understood, 3 server or I/O error |")
	fmt.Fprintln(w, "| ping | 0 ok, 1 nothing discovered or not understood, 2 some failed, 3 discovered but no replies |")
	fmt.Fprintln(w, "| ssh | ssh's own; 64 not understood, or ambiguous without a terminal; 66 no match; 69 the server did not answer; 130 menu left |")
	fmt.Fprintln(w, "| check | Nagios only: 0, 1, 2, 3; a usage error is 3 |")
	fmt.Fprintln(w, "| everything else | 0, 1 could not, 2 not understood |")
	for _, cmd := range root.Commands() {
		writeCommand(w, cmd)
	}
}

func writeCommand(w io.Writer, cmd *cobra.Command) {
	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return
	}
	fmt.Fprintf(w, "\n## muster %s\n\n%s.\n", strings.TrimPrefix(cmd.CommandPath(), "muster "), cmd.Short)
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", cmd.Long)
	}
	if cmd.Runnable() {
		fmt.Fprintf(w, "\n```\n%s\n", cmd.UseLine())
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				f.Hidden = true
			}
		})
		fmt.Fprint(w, cmd.LocalNonPersistentFlags().FlagUsages())
		fmt.Fprintln(w, "```")
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n```\n%s\n```\n", cmd.Example)
	}
	for _, sub := range cmd.Commands() {
		writeCommand(w, sub)
	}
}
