package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"muster/agent/program"
)

// NRPE offers the checks that a node's nrpe.cfg defines, as RPC agent nrpe
// with the action runcommand. Definitions are read anew at each call. They are
// split into words as a shell would, but never given to one. Why a check could
// not be run is in the daemon's log, and so is what is wrong with the files.
type NRPE struct {
	// Paths are files and folders (of *.cfg) with definitions; a later one
	// wins. Nil means /etc/nagios/nrpe.cfg and /etc/nagios/nrpe.d.
	Paths []string

	Limit     time.Duration // of one check; 0 means 10 seconds
	AllowArgs bool          // let callers fill in $ARG1$ and so on
}

const maxCheckOutput = 64 << 10

var commandName = regexp.MustCompile(`\A[a-zA-Z0-9_-]{1,50}\z`)

// checkResult is the data of a reply of runcommand.
type checkResult struct {
	Command  string `json:"command"`
	Output   string `json:"output"`
	PerfData string `json:"perfdata"`
	ExitCode int    `json:"exitcode"`
}

// checkWords are the messages of replies whose exit code is not 0.
var checkWords = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// Agent is the RPC agent.
func (n NRPE) Agent() Agent {
	if n.Limit <= 0 {
		n.Limit = 10 * time.Second
	}
	return Agent{
		Name: "nrpe", Version: "1.0", Description: "Runs the checks that this node's NRPE configuration defines",
		Timeout: n.Limit + 5*time.Second, // the check's own limit makes the better answer
		Actions: map[string]Action{"runcommand": n.runCommand},
	}
}

func (n NRPE) runCommand(ctx context.Context, r Request) (any, error) {
	log := logger(r.log).With("caller", r.Caller)
	command, args, err := whichCheck(r.Data)
	if err != nil {
		log.Warn("a check was refused", "check", fmt.Sprintf("%.60s", command), "reason", err)
		return nil, err
	}
	config := readNRPE(n.Paths)
	for _, fault := range config.faults {
		log.Warn("the definitions of checks have a fault", "fault", fault)
	}
	res, err := n.check(ctx, config, command, args)
	if err != nil {
		log.Warn("a check could not be run", "check", command, "defined", config.commands[command].where, "reason", err)
		res = checkResult{ExitCode: 3, Output: err.Error()}
	}
	res.Command = command
	if res.ExitCode != 0 {
		return nil, &Failure{Status: Aborted, Message: checkWords[res.ExitCode], Data: res}
	}
	return res, nil
}

// whichCheck reads what a request asks for. The error is a [*Failure]; the
// command is told beside it if it could be read.
func whichCheck(data json.RawMessage) (command, args string, err error) {
	var ask struct{ Command, Args string }
	if len(data) > 0 {
		if err := json.Unmarshal(data, &ask); err != nil {
			return ask.Command, "", failf(InvalidData, "command and args must be text")
		}
	}
	switch {
	case ask.Command == "":
		return "", "", failf(MissingData, "Action runcommand needs a command argument")
	case !commandName.MatchString(ask.Command):
		return ask.Command, "", failf(InvalidData, `Cannot validate input command: value should match \A[a-zA-Z0-9_-]+\z`)
	}
	return ask.Command, ask.Args, nil
}

// check runs one check. The error says what hinders it.
func (n NRPE) check(ctx context.Context, config *nrpeConfig, name, args string) (checkResult, error) {
	line, err := config.command(name)
	if errors.Is(err, errNoCommand) {
		return checkResult{}, failf(Aborted, "No such command: %s", name)
	}
	if err != nil {
		return checkResult{}, fmt.Errorf("%s: %w", name, err)
	}
	argv, err := splitWords(line)
	if err != nil {
		return checkResult{}, fmt.Errorf("the definition of %s can not be run without a shell: %w", name, err)
	}
	if argv, err = n.fillIn(argv, args); err != nil {
		return checkResult{}, fmt.Errorf("%s: %w", name, err)
	}
	res, err := program.Run(ctx, program.Command{Argv: argv, Limit: n.Limit, MaxOutput: maxCheckOutput})
	switch {
	case errors.Is(err, program.ErrLimit):
		return checkResult{}, fmt.Errorf("%s did not end within %v and was killed", name, n.Limit)
	case err != nil:
		return checkResult{}, fmt.Errorf("%s: %w", name, err)
	}
	out := checkResult{ExitCode: res.Exit}
	if res.Exit < 0 || res.Exit > 3 {
		out.ExitCode = 3
	}
	out.Output, out.PerfData = splitPerfData(printable(string(res.Stdout)))
	if out.Output == "" && out.PerfData == "" {
		out.Output = "(no output from the check)"
	}
	return out, nil
}

var argMacro = regexp.MustCompile(`\$ARG[0-9]{1,2}\$`)

// fillIn replaces $ARG1$ and so on within words, after the splitting: an
// argument stays in its word whatever is in it.
func (n NRPE) fillIn(argv []string, args string) ([]string, error) {
	var values []string
	if args != "" {
		if !n.AllowArgs {
			return nil, errors.New("this node takes no arguments for checks")
		}
		values = strings.Split(args, "!")
	}
	for _, v := range values {
		if err := harmless(v); err != nil {
			return nil, err
		}
	}
	out := make([]string, len(argv))
	for i, word := range argv {
		out[i] = argMacro.ReplaceAllStringFunc(word, func(macro string) string {
			var number int
			if _, err := fmt.Sscanf(macro, "$ARG%d$", &number); err != nil || number < 1 || number > len(values) {
				return "" // as NRPE has it
			}
			return values[number-1]
		})
	}
	return out, nil
}

var number = regexp.MustCompile(`^-[0-9.]`)

// harmless refuses what NRPE refuses in arguments, in case the check itself
// uses a shell, and what the check would take for an option.
func harmless(arg string) error {
	if i := strings.IndexAny(arg, "|`&><'\"\\[]{}();$*?!~\x00\r\n"); i >= 0 {
		return fmt.Errorf("an argument has %q in it, which is not allowed", arg[i])
	}
	if strings.HasPrefix(arg, "-") && !number.MatchString(arg) {
		return fmt.Errorf("argument %q looks like an option, which is not allowed", arg)
	}
	return nil
}

// splitPerfData divides a check's output at the last | of each line.
func splitPerfData(text string) (output, perfdata string) {
	var words, numbers []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n")
		if i := strings.LastIndexByte(line, '|'); i >= 0 {
			if p := strings.TrimSpace(line[i+1:]); p != "" {
				numbers = append(numbers, p)
			}
			line = line[:i]
		}
		words = append(words, strings.TrimRight(line, " \t"))
	}
	return strings.TrimSpace(strings.Join(words, "\n")), strings.Join(numbers, " ")
}

// printable drops what would steer a terminal, and makes the text UTF-8.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
