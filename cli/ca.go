package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muster/internal/pki"
)

// ownNames are whom the registry gives certificates for itself and for its host's
// command line.
var ownNames = []string{"registry", "operator"}

func (a *app) caCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "the built-in certificate authority of this host's server, and the one that follows it",
		Long: `A new authority follows the old one while the server runs and nobody is shut out: muster ca rotate makes it, nodes get themselves
certificates of it, muster ca drop ends the old one. Run it as the server's user.`,
		Example: "  muster ca show\n  muster ca rotate\n  muster ca drop",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usageFault("do what with the authority? muster ca --help lists it")
		},
	}
	folder := a.serverFolder(cmd)
	cmd.AddCommand(a.caShowCommand(folder), a.caRotateCommand(folder), a.caDropCommand(folder))
	return cmd
}

func (a *app) caShowCommand(folder func() (string, error)) *cobra.Command {
	var names bool
	cmd := &cobra.Command{
		Use: "show", Short: "the authorities that are accepted, and how many nodes and operators depend on each", Args: exactly(0, "no arguments"),
		Example: "  muster ca show\n  muster ca show --names",
		RunE: func(*cobra.Command, []string) error {
			authority, err := a.loadAuthority(folder)
			if err != nil {
				return err
			}
			standings, err := authority.Standings(ownNames...)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "AUTHORITY\tSIGNS\tENDS\tHOLDERS\tFINGERPRINT")
			for _, s := range standings {
				signs := "no"
				if s.Signs {
					signs = "yes"
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", printable(s.CA.Subject.CommonName), signs, s.CA.NotAfter.UTC().Format(time.DateOnly), len(s.Names), pki.Fingerprint(s.CA))
				for _, name := range s.Names {
					if names {
						fmt.Fprintf(table, "  %s\t\t\t\t\n", printable(name))
					}
				}
			}
			return table.Flush()
		},
	}
	cmd.Flags().BoolVar(&names, "names", false, "name them")
	return cmd
}

func (a *app) caRotateCommand(folder func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "make a new authority that signs from now on; the old one stays accepted", Args: exactly(0, "no arguments"),
		Long: `From now on nodes and operators get their certificates from the new authority; those of the old one are good as before. A daemon that
runs gets itself a new certificate within an hour, and muster agent --renew at once. The server needs no restart. Other registries of the site
need the same ca folder: copy it to them at once.`,
		RunE: func(*cobra.Command, []string) error {
			authority, err := a.loadAuthority(folder)
			if err != nil {
				return err
			}
			if err := authority.Rotate(); err != nil {
				return err
			}
			signs := authority.Accepted()[0]
			fmt.Fprintf(a.out, "%s signs now, with the fingerprint %s\n", signs.Subject.CommonName, pki.Fingerprint(signs))
			return nil
		},
	}
}

func (a *app) caDropCommand(folder func() (string, error)) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "drop", Short: "accept the old authority's certificates no longer, once nobody depends on them", Args: exactly(0, "no arguments"),
		Long: `Who has no certificate of the new authority yet would be shut out: then nothing is dropped, and they are named. Lines to join by that
were printed before serve no more. What is connected stays so: where the old authority's key was stolen, restart the server as well.`,
		RunE: func(*cobra.Command, []string) error {
			authority, err := a.loadAuthority(folder)
			if err != nil {
				return err
			}
			err = authority.Drop(force, ownNames...)
			if _, needed := errors.AsType[*pki.StillNeeded](err); needed {
				return fmt.Errorf("%w; muster ca show --names tells who, and --force shuts them out", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s alone is accepted now\n", authority.Accepted()[0].Subject.CommonName)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "shut out who has no certificate of the new authority yet")
	return cmd
}
