package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"muster/api"
	"muster/internal/pki"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "who may ask this host's server, and lines by which nodes join it; run it as the server's user",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usageFault("do what with tokens? muster token --help lists it")
		},
	}
	folder := a.serverFolder(cmd)
	cmd.AddCommand(a.tokenCreateCommand(folder), a.tokenListCommand(folder), a.tokenRevokeCommand(folder), a.tokenJoinCommand(folder))
	return cmd
}

// serverFolder gives a command and those below it the flag --data, and finds the
// data folder of the server on this host.
func (a *app) serverFolder(cmd *cobra.Command) func() (string, error) {
	var data string
	cmd.PersistentFlags().StringVar(&data, "data", "", "the server's data `folder`")
	return func() (string, error) {
		c, err := a.loadConfig()
		if err != nil {
			return "", err
		}
		override(&c.Data, data)
		if running, err := a.env.readRunFile(); err == nil && running != nil && c.Data == "" {
			c.Data = running.Data
		}
		dir := a.dataDir(c, "serve")
		if _, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("there is no server's data folder %s; name it with --data", dir)
		}
		return dir, nil
	}
}

// loadAuthority opens the built-in CA of the server on this host.
func (a *app) loadAuthority(folder func() (string, error)) (*pki.Authority, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	authority, err := pki.LoadAuthority(filepath.Join(dir, "ca"), a.env.Now)
	if err != nil {
		return nil, fmt.Errorf("opening the certificate authority in %s: %w", dir, err)
	}
	return authority, nil
}

func (a *app) tokenStore(folder func() (string, error)) (*api.TokenStore, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	return &api.TokenStore{Path: filepath.Join(dir, "tokens.json"), Now: a.env.Now}, nil
}

func (a *app) tokenCreateCommand(folder func() (string, error)) *cobra.Command {
	var role string
	var lifetime time.Duration
	var g api.Grant
	cmd := &cobra.Command{
		Use: "create NAME", Short: "make a token and print it; it can not be had again", Args: exactly(1, "one name"),
		Example: `  muster token create grafana --collective eu_collective --facts os --facts customer
  muster token create puppet1 --role forwarder --for '*.acme.net'`,
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := api.ParseRole(role)
			if err != nil {
				return usageFault("%w", err)
			}
			store, err := a.tokenStore(folder)
			if err != nil {
				return err
			}
			secret, err := store.Grant(args[0], r, lifetime, g)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, secret)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", "reader", "what its holder may do: reader operator admin forwarder node registry")
	flags := cmd.Flags()
	flags.DurationVar(&lifetime, "lifetime", 0, "for how long it serves, such as 720h (default for ever)")
	flags.StringSliceVar(&g.Scope.Collectives, "collective", nil, "`name` of a collective whose nodes its holder sees; repeatable (default all)")
	flags.StringSliceVar(&g.Scope.Facts, "facts", nil, "`pattern` of facts that its holder sees, such as os or net.*.ip; repeatable (default all)")
	flags.StringSliceVar(&g.For, "for", nil, "`pattern` of nodes that a forwarder may speak for, such as '*.acme.net'; repeatable (default any)")
	return cmd
}

func (a *app) tokenListCommand(folder func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "the tokens there are, without their secrets", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			store, err := a.tokenStore(folder)
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tROLE\tCREATED\tEXPIRES\tLAST USED\tSEES")
			for _, t := range list {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(t.Name), t.Role, day(t.Created, "-"), day(t.Expires, "never"), day(t.LastUsed, "never"), limitsOf(t.Grant))
			}
			return table.Flush()
		},
	}
}

// limitsOf says in one word what a token's holder may not do.
func limitsOf(g api.Grant) string {
	var parts []string
	for _, part := range []struct {
		what string
		list []string
	}{{"collectives", g.Scope.Collectives}, {"facts", g.Scope.Facts}, {"for", g.For}} {
		if len(part.list) > 0 {
			parts = append(parts, part.what+"="+printable(strings.Join(part.list, ",")))
		}
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, " ")
}

func day(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.DateOnly)
}

func (a *app) tokenRevokeCommand(folder func() (string, error)) *cobra.Command {
	var node string
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "make a token unusable at once, or with --certificate a node's certificates", Args: atMost(1, "one name"),
		Example: "  muster token revoke grafana\n  muster token revoke --certificate web1.acme.net",
		RunE: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == (node != "") {
				return usageFault("revoke what? A token by its name, or --certificate NODE")
			}
			if node != "" {
				return a.revokeCertificates(folder, node)
			}
			store, err := a.tokenStore(folder)
			if err != nil {
				return err
			}
			return store.Revoke(args[0])
		},
	}
	cmd.Flags().StringVar(&node, "certificate", "", "take back the certificates of this `node`, or the one with this serial number")
	return cmd
}

func (a *app) revokeCertificates(folder func() (string, error), node string) error {
	authority, err := a.loadAuthority(folder)
	if err != nil {
		return err
	}
	n, err := authority.Revoke(node)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%d taken back\n", n)
	return nil
}

func (a *app) tokenJoinCommand(folder func() (string, error)) *cobra.Command {
	var spec pki.TokenSpec
	var address, role string
	cmd := &cobra.Command{
		Use: "join", Short: "print a line by which a node joins: muster agent --join LINE", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			var err error
			if spec.Role, err = pki.ParseRole(role); err != nil {
				return usageFault("%w", err)
			}
			if spec.Uses < 1 || spec.TTL <= 0 {
				return usageFault("a line that nobody can use: --uses must be at least 1, --lifetime more than 0")
			}
			if address == "" {
				running, err := a.env.readRunFile()
				if err != nil {
					return err
				}
				if running == nil {
					return usageFault("at which address do nodes reach the server? Start it first, or give --address https://HOST:8280")
				}
				address = running.Server
			}
			if err := pki.CheckAddress(address); err != nil {
				return usageFault("nodes cannot join at %q: %w", address, err)
			}
			authority, err := a.loadAuthority(folder)
			if err != nil {
				return err
			}
			token, err := authority.CreateToken(spec)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, authority.JoinLine(address, token))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&spec.Pattern, "pattern", "", "`names` that may join by it, such as '*.acme.net' (default any)")
	flags.IntVar(&spec.Uses, "uses", 1, "how many nodes may join by it")
	flags.DurationVar(&spec.TTL, "lifetime", pki.DefaultTokenTTL, "for how long it serves")
	flags.BoolVar(&spec.Reissue, "reissue", false, "also for a name that has a certificate already")
	flags.StringVar(&role, "role", "node", "what the certificate allows: node operator registry")
	flags.StringVar(&address, "address", "", "`URL` at which nodes reach the server (default that of the running server)")
	return cmd
}
