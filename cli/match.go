package cli

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"muster/query"
	"muster/registry"
)

// maxDocument bounds one line of NDJSON, in bytes.
const maxDocument = 8 << 20

func (a *app) matchCommand() *cobra.Command {
	var f filterFlags
	var o outputFlags
	var text string
	cmd := &cobra.Command{
		Use:   "match [filters] [FILE|-]",
		Short: "identities of the documents (NDJSON) that a query matches; no server needed",
		Example: `  muster match -W "customer=acme mysql::master" fleet.ndjson
  zstdcat fleet.ndjson.zst | muster match -S "os.family=Debian and !/^db/"`,
		Args: atMost(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			f.Query = text
			q, err := f.parse(a, nil)
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
			return a.match(q, &f, &o, in, name)
		},
	}
	f.register(a, cmd)
	o.registerFormat(cmd)
	cmd.PreRunE = func(*cobra.Command, []string) error { text = f.Query; return nil }
	return of(classFind, cmd)
}

// match answers the query over the documents. They count in any state and
// collective unless --target says otherwise.
func (a *app) match(q *query.Query, f *filterFlags, o *outputFlags, in io.Reader, name string) error {
	only, err := a.readNodes(f.only)
	if err != nil {
		return err
	}
	now := a.env.Now()
	var kept, asked []*query.Document
	names := map[string]bool{} // where only the names are shown
	keep := func(doc *query.Document) {
		switch {
		case only != nil && !only[strings.ToLower(doc.Identity)] || !query.Matches(q.Filter, doc, now):
		case plain(q):
			names[doc.Identity] = true
		default:
			kept = append(kept, doc)
		}
	}
	take, others := keep, asksOthers(q)
	if others {
		take = func(doc *query.Document) { asked = append(asked, doc) }
	}
	err = eachLine(in, name, func(line []byte, number int) error {
		doc, err := registry.DecodeDocument(line)
		if err != nil {
			return unreachable("%s, line %d: %w", name, number, err)
		}
		if f.target == "" || slices.Contains(doc.Collectives, f.target) {
			take(doc)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if others {
		if q, err = resolve(q, asked, now); err != nil {
			return err
		}
		for _, doc := range asked {
			keep(doc)
		}
	}
	if plain(q) {
		list := found{names: slices.SortedFunc(maps.Keys(names), byIdentity)}
		if err := f.cut(&list); err != nil {
			return err
		}
		return o.answer(a.out, list)
	}
	columns, rows := q.Rows(slices.Values(registry.Sample(kept, q)), now)
	list := found{columns: columns, rows: rows}
	if err := f.cut(&list); err != nil {
		return err
	}
	return o.answer(a.out, list)
}

// byIdentity is the order of every list of nodes.
func byIdentity(a, b string) int {
	return cmp.Or(strings.Compare(registry.Identity(a).Key(), registry.Identity(b).Key()), strings.Compare(a, b))
}

// plain reports whether the answer to q is every name it matches.
func plain(q *query.Query) bool {
	return q.Entity == "" && len(q.Select) == 0 && len(q.GroupBy) == 0 && len(q.OrderBy) == 0 &&
		q.Limit == nil && q.Offset == 0 && q.Sample == 0
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
	if stopped, ok := errors.AsType[*fault](lines.Err()); ok {
		return stopped
	}
	if lines.Err() != nil {
		return unreachable("reading %s: %w", name, lines.Err())
	}
	return nil
}
