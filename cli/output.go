package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"muster/internal/near"
	"muster/query"
)

// outputFlags says how an answer is printed.
type outputFlags struct {
	format string
	json   bool
	fields []string
	sort   string
}

var outputFormats = []string{"text", "table", "json", "ndjson", "yaml", "csv"}

func (o *outputFlags) register(cmd *cobra.Command) {
	o.registerFormat(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.fields, "fields", nil, "facts to show beside each name, `a,b.c`")
	flags.StringVar(&o.sort, "sort", "", "order by this `field` instead of by name; -field reverses")
}

// registerFormat is register for what has no fields to choose.
func (o *outputFlags) registerFormat(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.format, "output", "o", "text", "how the answer is printed: "+strings.Join(outputFormats, " "))
	flags.BoolVarP(&o.json, "json", "j", false, "as --output json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses a format that does not exist before anything is asked.
func (o *outputFlags) check() error {
	if o.json {
		o.format = "json"
	}
	if slices.Contains(outputFormats, o.format) {
		return nil
	}
	format, _ := near.Word(o.format, outputFormats)
	return usageFault("there is no output format %q; the nearest is %q", o.format, format)
}

// selected takes the columns that the query itself names, where no fields are
// asked for beside it.
func (o *outputFlags) selected(q *query.Query) {
	if len(o.fields) > 0 || len(q.GroupBy) > 0 || q.Entity != "" {
		return
	}
	var fields []string
	for _, c := range q.Select {
		switch {
		case c.Func != "":
			return
		case c.Path.Field != "identity":
			fields = append(fields, c.Path.String())
		}
	}
	o.fields = fields
}

// answer prints what was found; nothing found is a fault of its own.
func (o *outputFlags) answer(w io.Writer, f found) error {
	if f.len() == 0 && o.format == "text" {
		return &fault{kind: faultNothing}
	}
	if err := o.print(w, f); err != nil {
		return err
	}
	if f.len() == 0 {
		return &fault{kind: faultNothing}
	}
	return nil
}

// print writes a discovery list, or rows, in the wanted format.
func (o *outputFlags) print(w io.Writer, f found) error {
	columns := append([]string{"identity"}, o.fields...)
	if f.columns != nil {
		columns = f.columns
	}
	switch o.format {
	case "json":
		return writeJSON(w, f.items(), true)
	case "ndjson":
		for _, item := range f.items() {
			if err := writeJSON(w, item, false); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		encoder := yaml.NewEncoder(w)
		encoder.SetIndent(2)
		if err := encoder.Encode(plainNumbers(f.items())); err != nil {
			return err
		}
		return encoder.Close()
	case "csv":
		out := csv.NewWriter(w)
		_ = out.Write(columns)
		for i := range f.len() {
			_ = out.Write(spreadsheetSafe(f.row(i, columns)))
		}
		out.Flush()
		return out.Error()
	case "table":
		return printTable(w, columns, f)
	default:
		if len(o.fields) > 0 || f.columns != nil {
			return printTable(w, nil, f, columns...)
		}
		for _, name := range f.names {
			fmt.Fprintln(w, name)
		}
		return nil
	}
}

func printTable(w io.Writer, head []string, f found, columns ...string) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if head != nil {
		columns = head
		fmt.Fprintln(table, strings.ToUpper(strings.Join(head, "\t")))
	}
	for i := range f.len() {
		cells := f.row(i, columns)
		for j := range cells {
			cells[j] = printable(cells[j])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

// len is the number of nodes, or of rows that are none.
func (f found) len() int { return len(f.names) + len(f.rows) }

func (f found) items() []any {
	items := make([]any, 0, f.len())
	for _, row := range f.rows {
		item := map[string]any{}
		for j, column := range f.columns {
			item[column] = row[j]
		}
		items = append(items, item)
	}
	for i, name := range f.names {
		if f.objects != nil {
			items = append(items, f.objects[i])
		} else {
			items = append(items, name)
		}
	}
	return items
}

func (f found) row(i int, columns []string) []string {
	row := make([]string, len(columns))
	if f.columns != nil {
		for j, v := range f.rows[i] {
			row[j] = cell(v)
		}
		return row
	}
	for j, column := range columns {
		switch {
		case column == "identity":
			row[j] = f.names[i]
		case f.objects != nil:
			row[j] = cell(f.objects[i][column])
		}
	}
	return row
}

// cell is one value as a person reads it: containers as JSON.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

// printable replaces what would move a terminal's cursor, or hide text on it,
// by U+FFFD: facts are remote input.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '\ufffd'
		}
		return r
	}, text)
}

// spreadsheetSafe keeps a fact from being run as a formula by what opens the file.
func spreadsheetSafe(row []string) []string {
	for i, text := range row {
		if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
			row[i] = "'" + text
		}
	}
	return row
}

func writeJSON(w io.Writer, v any, indent bool) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if indent {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(v)
}

// plainNumbers turns JSON's numbers into what the YAML writer prints bare.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainNumbers(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plainNumbers(v[k])
		}
		return out
	}
	return v
}
