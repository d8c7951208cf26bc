// Package cli is the command line of muster: the one place where the parts
// are wired together.
//
//	status := cli.Run(ctx, cli.Env{Name: "muster", Args: []string{"find", "-W", "customer=acme"}, …})
//
// A command prints results to Stdout and everything else to Stderr, and
// returns an error that knows its exit status (fault.go).
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"muster/query"
)

// alias is a name that old scripts use, and the command it stands for.
var aliases = map[string][]string{
	"mc-ssh":        {"ssh"},
	"mc-find":       {"find"},
	"mc-inventory":  {"inventory"},
	"mc-ping":       {"ping"},
	"check-mc-nrpe": {"check", "nrpe"},
}

// Main runs the command line of this process and returns its exit status.
func Main(ctx context.Context) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, process())
}

// Run runs one command in its surroundings and returns its exit status.
func Run(ctx context.Context, env Env) int {
	out := bufio.NewWriter(env.Stdout)
	stdout := env.Stdout
	env.Stdout = out
	env.Stdin = &interruptible{ctx: ctx, from: env.Stdin}
	root := newRoot(&env, out, stdout)
	args := env.Args
	if prefix, ok := aliases[strings.TrimSuffix(env.Name, ".exe")]; ok {
		args = append(append([]string{}, prefix...), args...)
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	// A result that could not be written is a failure, whatever the command says.
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("writing the answer: %w", flushErr)
	}
	class := statusClass(classOf(cmd))
	report(env, class, cmd, err)
	return status(class, err)
}

// app is what every command shares: the surroundings and the global flags.
type app struct {
	env    *Env
	out    *bufio.Writer
	direct io.Writer // the unbuffered standard output, for what must be seen at once

	configFile string
	servers    []string
	quiet      bool
	verbose    bool
	noProgress bool

	siteOnly bool // no settings of the user's own
}

func newRoot(env *Env, out *bufio.Writer, direct io.Writer) *cobra.Command {
	a := &app{env: env, out: out, direct: direct}
	root := &cobra.Command{
		Use:           "muster",
		Short:         "know what machines you have and reach them by what they are",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetIn(env.Stdin)
	root.SetOut(out)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(flagFault)
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "settings `file` (MUSTER_CONFIG)")
	flags.StringArrayVar(&a.servers, "server", nil, "registry to ask, `URL`; repeat it to name others to go on with (MUSTER_SERVER)")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no remarks on stderr")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "more remarks on stderr")
	flags.BoolVar(&a.noProgress, "no-progress", false, "no progress bar")
	flags.BoolVar(&a.noProgress, "np", false, "no progress bar")
	_ = flags.MarkHidden("np")
	root.AddCommand(
		a.demoCommand(), a.serveCommand(), a.agentCommand(),
		a.findCommand(), a.matchCommand(), a.inventoryCommand(), a.explainCommand(), a.whyCommand(), a.importCommand(), a.compareCommand(),
		a.missingCommand(), a.historyCommand(), a.diffCommand(), a.watchCommand(), a.deactivateCommand(), a.reactivateCommand(),
		a.backupCommand(), a.restoreCommand(),
		a.pingCommand(), a.sshCommand(), a.checkCommand(),
		a.tokenCommand(), a.caCommand(), a.auditCommand(), a.doctorCommand(), a.unitCommand(), a.encCommand(), a.moduleCommand(), a.linksCommand(), a.referenceCommand(), a.versionCommand(),
	)
	return root
}

// of marks a command with its row of the table of exit statuses.
func of(class statusClass, cmd *cobra.Command) *cobra.Command {
	cmd.Annotations = map[string]string{"status": string(class)}
	return cmd
}

func classOf(cmd *cobra.Command) string {
	for ; cmd != nil; cmd = cmd.Parent() {
		if class, ok := cmd.Annotations["status"]; ok {
			return class
		}
	}
	return ""
}

// report prints what went wrong: for a query the place and a caret line, for a
// check the one line that Nagios shows.
func report(env Env, class statusClass, cmd *cobra.Command, err error) {
	if err == nil || err.Error() == "" {
		return
	}
	if class == classCheck {
		first, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(env.Stdout, "UNKNOWN: %s\n", first)
		if out, ok := env.Stdout.(*bufio.Writer); ok {
			_ = out.Flush() // the status says more than a second message could
		}
		return
	}
	name := "muster"
	if cmd != nil && cmd.HasParent() {
		name = cmd.CommandPath()
	}
	fmt.Fprintf(env.Stderr, "%s: %v\n", name, err)
	if syntax, ok := errors.AsType[*query.SyntaxError](err); ok {
		fmt.Fprintf(env.Stderr, "\t%s\n", strings.ReplaceAll(strings.TrimRight(syntax.Snippet(), "\n"), "\n", "\n\t"))
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usageFault("there is no command %q; did you mean %q?", name, near[0])
	}
	return usageFault("there is no command %q; muster --help lists them", name)
}

func flagFault(cmd *cobra.Command, err error) error {
	return usageFault("%w; %s --help lists the flags", err, cmd.CommandPath())
}

// exactly refuses any other number of arguments, and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageFault("%s takes %s, and %d were given", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

func atMost(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usageFault("%s takes %s; what is %q?", cmd.CommandPath(), what, args[n])
		}
		return nil
	}
}
