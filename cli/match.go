package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"muster/query"
	"muster/registry"
)

// maxDocument bounds one line of NDJSON, in bytes.
const maxDocument = 8 << 20

func (a *app) matchCommand() *cobra.Command {
	var f filterFlags
	var text string
	cmd := &cobra.Command{
		Use:   "match [filters] [FILE|-]",
		Short: "identities of the documents (NDJSON) that a query matches; no server needed",
		Example: `  muster match -W "customer=acme mysql::master" fleet.ndjson
  zstdcat fleet.ndjson.zst | muster match -S "os.family=Debian and !/^db/"`,
		Args: atMost(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			f.Query = text
			q, err := f.parse(nil)
			if err != nil {
				return err
			}
			in, name := a.env.Stdin, "stdin"
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return unreachable("%w", err)
				}
				defer file.Close()
				in, name = file, args[0]
			}
			return a.match(q, in, name, f.target)
		},
	}
	f.register(cmd)
	cmd.Flags().Lookup("query").Usage = "a query in the dialect of --dialect"
	cmd.PreRunE = func(*cobra.Command, []string) error { text = f.Query; return nil }
	return of(classFind, cmd)
}

// match prints the sorted identities of the documents that the query matches.
// Documents count in any state and collective unless --target says otherwise.
func (a *app) match(q *query.Query, in io.Reader, name, collective string) error {
	now := a.env.Now()
	var names []string
	err := eachLine(in, name, func(line []byte, number int) error {
		doc, err := registry.DecodeDocument(line)
		if err != nil {
			return unreachable("%s, line %d: %w", name, number, err)
		}
		if collective != "" && !slices.Contains(doc.Collectives, collective) {
			return nil
		}
		if query.Matches(q.Filter, doc, now) {
			names = append(names, doc.Identity)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &fault{kind: faultNothing}
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintln(a.out, n)
	}
	return nil
}

// eachLine calls use with every line that is not blank, numbered from 1.
func eachLine(in io.Reader, name string, use func(line []byte, number int) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxDocument)
	number := 0
	for lines.Scan() {
		number++
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := use(lines.Bytes(), number); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return unreachable("%s, line %d: longer than %d MiB", name, number+1, maxDocument>>20)
	}
	if lines.Err() != nil {
		return unreachable("reading %s: %w", name, lines.Err())
	}
	return nil
}
