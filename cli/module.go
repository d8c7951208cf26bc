package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"muster/puppetfunc"
)

func (a *app) moduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "module",
		Short: "the Puppet module with search_nodes",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usageFault("do what with the module? muster module install DIR")
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "install DIR", Short: "write the module into a folder of the modulepath", Args: exactly(1, "one folder"),
		Example: "  muster module install /etc/puppet/code/modules",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := puppetfunc.Install(args[0]); err != nil {
				return err
			}
			fmt.Fprintln(a.out, filepath.Join(args[0], "muster"))
			return nil
		},
	})
	return cmd
}
