package cli

import (
	"context"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"muster/agent"
)

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Nagios plugins",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usageFault("which check? muster check --help lists them")
		},
	}
	cmd.AddCommand(a.checkNRPECommand())
	return of(classCheck, cmd)
}

func (a *app) checkNRPECommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:     "nrpe [filters] CHECK",
		Short:   "run an NRPE check on every node that the filters name, and fold the results into one",
		Example: `  check-mc-nrpe -W "environment=development customer=acme mysql::master" check_load`,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name, args = args[len(args)-1], args[:len(args)-1]
			}
			text, exit, err := a.checkNRPE(cmd.Context(), &s, args, name)
			if err != nil {
				return err
			}
			fmt.Fprint(a.out, text)
			return &fault{kind: faultStatus, status: exit}
		},
	}
	s.register(a, cmd)
	return cmd
}

// checkName is what agent nrpe takes for a name; anything else would reach
// Nagios's line as it is.
var checkName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)

func (a *app) checkNRPE(ctx context.Context, s *selection, args []string, name string) (text string, exit int, err error) {
	if name == "" {
		text, exit = agent.FoldChecks("", nil, nil, 0)
		return text, exit, nil
	}
	if !checkName.MatchString(name) {
		return "", 0, usageFault("%q is not the name of a check: letters, digits, _ and -, 50 at most", name)
	}
	a.quiet = true // Nagios shows what is printed first
	nodes, err := a.selected(ctx, s, args)
	if err != nil {
		return "", 0, err
	}
	var checks []agent.Check
	var outcome agent.Outcome
	if len(nodes) > 0 {
		call := s.call("nrpe", "runcommand", map[string]string{"command": name}, nodes)
		outcome, err = a.call(ctx, call, func(r agent.Reply) { checks = append(checks, agent.CheckOf(r)) })
		if err != nil {
			return "", 0, err
		}
	}
	text, exit = agent.FoldChecks(name, checks, outcome.Silent, outcome.Took)
	return text, exit, nil
}
