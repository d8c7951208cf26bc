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
  muster find -F country=de -C /apache/ -I /web/
  muster find 'customer=acme | group by site count() | order by -count'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			q, err := f.understand(a, args)
			if err != nil {
				return err
			}
			o.selected(q)
			list, err := a.search(cmd.Context(), &f, o.fields, o.sort)
			if err != nil {
				return err
			}
			return o.answer(a.out, list)
		},
	}
	f.register(a, cmd)
	o.register(cmd)
	return of(classFind, cmd)
}
