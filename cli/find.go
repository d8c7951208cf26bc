package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) findCommand() *cobra.Command {
	var f filterFlags
	var o outputFlags
	cmd := &cobra.Command{
		Use:   "find [flags] [QUERY]",
		Short: "identities of the nodes that a query names, one a line",
		Example: `  muster find -W "environment=development customer=acme mysql::master"
  muster find -S "operatingsystem=CentOS and !environment=dev"
  muster find -F country=de -C /apache/ -I /web/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if _, err := f.parse(args); err != nil {
				return err
			}
			list, err := a.search(cmd.Context(), &f, o.fields, o.sort)
			if err != nil {
				return err
			}
			if len(list.names) == 0 && o.format == "text" {
				return &fault{kind: faultNothing}
			}
			if err := o.print(a.out, list); err != nil {
				return err
			}
			if len(list.names) == 0 {
				return &fault{kind: faultNothing}
			}
			return nil
		},
	}
	f.register(cmd)
	o.register(cmd)
	return of(classFind, cmd)
}
