package facts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"muster/agent/program"
)

// maxFacter bounds what Facter may print; a big host prints 100 KiB.
const maxFacter = 8 << 20

// errNoFacter says that no facter is installed, which is no fault.
var errNoFacter = errors.New("facter is not installed")

// facter runs Facter. It is judged by whether its standard output parses, not
// by its exit status, which is 1 after any logged error, complete as the facts
// may be.
func (s Source) facter(ctx context.Context) (map[string]any, error) {
	env := program.Environment(os.Getenv)
	name := s.Facter
	if name == "" {
		name = "facter"
		if _, err := program.Look(name, env); err != nil {
			return nil, errNoFacter
		}
	}
	res, err := program.Run(ctx, program.Command{
		Argv: append([]string{name, "--json"}, s.FacterArgs...), Env: env, Limit: s.facterLimit(), MaxOutput: maxFacter,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if res.Truncated {
		return nil, fmt.Errorf("%s printed more than %d MiB", name, maxFacter>>20)
	}
	found, err := parseJSON(res.Stdout)
	if err != nil {
		return nil, fmt.Errorf("%s (exit status %d) did not print facts: %w%s", name, res.Exit, err, firstLine(res.Stderr))
	}
	return found, nil
}

func (s Source) facterLimit() time.Duration {
	if s.FacterLimit <= 0 {
		return 20 * time.Second
	}
	return s.FacterLimit
}

// firstLine shows the beginning of what a program complained of.
func firstLine(stderr []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(stderr)), "\n")
	if line == "" {
		return ""
	}
	return fmt.Sprintf(" (it says %.200q)", line)
}
