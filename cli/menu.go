package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// menu lets a person pick one node by its number or by a part of its name. It
// is drawn on stderr, so that stdout stays what the command answers.
func (a *app) menu(list found, facts []string) (string, error) {
	shown := list
	in := bufio.NewReader(a.env.Stdin)
	for {
		if err := a.drawMenu(shown, facts); err != nil {
			return "", err
		}
		line, err := in.ReadString('\n')
		if _, stopped := errors.AsType[*fault](err); stopped {
			return "", &fault{kind: faultLeft}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("reading the choice: %w", err)
		}
		text := strings.TrimSpace(line)
		if text == "" || text == "q" {
			if errors.Is(err, io.EOF) || text == "q" {
				return "", &fault{kind: faultLeft}
			}
			shown = list
			continue
		}
		if n, convErr := strconv.Atoi(text); convErr == nil {
			if n == 0 {
				return "", &fault{kind: faultLeft}
			}
			if n >= 1 && n <= len(shown.names) {
				return shown.names[n-1], nil
			}
			fmt.Fprintf(a.env.Stderr, "there is no number %d\n", n)
			continue
		}
		narrowed := shown.containing(text)
		switch len(narrowed.names) {
		case 0:
			fmt.Fprintf(a.env.Stderr, "none of these holds %q\n", text)
		case 1:
			return narrowed.names[0], nil
		default:
			shown = narrowed
		}
		if errors.Is(err, io.EOF) {
			return "", &fault{kind: faultLeft}
		}
	}
}

func (a *app) drawMenu(list found, facts []string) error {
	table := tabwriter.NewWriter(a.env.Stderr, 0, 8, 2, ' ', 0)
	for i, row := range list.names {
		cells := []string{fmt.Sprintf("%4d) %s", i+1, row)}
		for _, text := range list.row(i, facts) {
			cells = append(cells, printable(text))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	fmt.Fprintln(table, "   0) Exit")
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(a.env.Stderr, "Number, or a part of a name: ")
	return nil
}

// containing keeps the rows whose name or shown facts hold the text.
func (f found) containing(text string) found {
	var out found
	text = strings.ToLower(text)
	for i, name := range f.names {
		holds := strings.Contains(strings.ToLower(name), text)
		if f.objects != nil {
			for _, v := range f.objects[i] {
				holds = holds || strings.Contains(strings.ToLower(cell(v)), text)
			}
		}
		if holds {
			out.names = append(out.names, name)
			if f.objects != nil {
				out.objects = append(out.objects, f.objects[i])
			}
		}
	}
	return out
}
