package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"muster/registry"
)

func (a *app) sshCommand() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:   "ssh [filters] [-- SSH-OPTIONS-AND-COMMAND]",
		Short: "ssh to the node that the filters name; a menu when they name several",
		Example: `  mc-ssh -W "environment=development customer=acme mysql::master"
  mc-ssh -I db1.acme.net -- -l root uptime`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, rest := args, []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				own, rest = args[:dash], args[dash:]
			}
			if len(own) == 0 && f.Empty() && f.only == "" {
				return usageFault("which node? Give a filter, such as -W \"customer=acme mysql::master\"")
			}
			if _, err := f.understand(a, own); err != nil {
				return err
			}
			menuFacts, err := a.menuFacts()
			if err != nil {
				return err
			}
			list, err := a.search(cmd.Context(), &f, menuFacts, "")
			if err != nil {
				return err
			}
			name, err := a.choose(list, menuFacts)
			if err != nil {
				return err
			}
			return a.becomeSSH(name, rest)
		},
	}
	f.register(a, cmd)
	return of(classSSH, cmd)
}

func (a *app) menuFacts() ([]string, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	if len(c.SSH.MenuFacts) > 0 {
		return c.SSH.MenuFacts, nil
	}
	return []string{"customer", "environment"}, nil
}

// choose is the one match, or what the person picks from several.
func (a *app) choose(list found, facts []string) (string, error) {
	switch {
	case len(list.names) == 0:
		return "", &fault{kind: faultNothing, err: fmt.Errorf("no node matches")}
	case len(list.names) == 1:
		return list.names[0], nil
	case !a.env.StdinTerminal || !a.env.StderrTerminal:
		return "", &fault{kind: faultAmbiguous, err: fmt.Errorf("%d nodes match and there is no terminal to choose on:\n  %s",
			len(list.names), strings.Join(list.names, "\n  "))}
	}
	return a.menu(list, facts)
}

// becomeSSH replaces this process by ssh. The name comes from the network: it
// is checked once more, and stands behind -- so that it can never be an option.
func (a *app) becomeSSH(name string, rest []string) error {
	if _, err := registry.ParseIdentity(name); err != nil {
		return fmt.Errorf("refusing to ssh to %q: %w", name, err)
	}
	var options, command []string
	options, command = splitSSH(rest)
	argv := append([]string{"ssh"}, options...)
	argv = append(append(argv, "--", name), command...)
	fmt.Fprintf(a.env.Stderr, "Running: %s\n", strings.Join(append(append([]string{"ssh"}, options...), append([]string{name}, command...)...), " "))
	if err := a.out.Flush(); err != nil {
		return err
	}
	return a.env.Become(argv)
}

// sshValueFlags are the options of ssh(1) that take a value (OpenSSH 10).
const sshValueFlags = "BbcDEeFIiJLlmOoPpQRSWw"

// splitSSH parts what follows -- into ssh's options and the remote command:
// ssh reads options up to the first word that is none.
func splitSSH(rest []string) (options, command []string) {
	i := 0
	for i < len(rest) && strings.HasPrefix(rest[i], "-") && len(rest[i]) > 1 {
		if rest[i] == "--" {
			return rest[:i], rest[i+1:]
		}
		letters := rest[i][1:]
		i++
		if at := strings.IndexAny(letters, sshValueFlags); at == len(letters)-1 && i < len(rest) {
			i++
		}
	}
	return rest[:i], rest[i:]
}
