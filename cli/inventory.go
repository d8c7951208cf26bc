package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) inventoryCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "inventory NODE",
		Short:   "everything that is known of one node",
		Example: "  muster inventory db1.acme.net",
		Args:    exactly(1, "one node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.newClient()
			if err != nil {
				return err
			}
			var node map[string]any
			err = c.do(cmd.Context(), http.MethodGet, "/v1/nodes/"+url.PathEscape(args[0]), nil, &numbered{&node})
			if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status == http.StatusNotFound {
				return &fault{kind: faultNothing, err: fmt.Errorf("no node is called %q", args[0])}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.out, node, true)
			}
			a.printInventory(node)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "the whole node as JSON")
	cmd.ValidArgsFunction = a.completeNodes
	return of(classFind, cmd)
}

// numbered keeps numbers as they were written when it reads JSON.
type numbered struct{ to *map[string]any }

func (n *numbered) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	return decoder.Decode(n.to)
}

func (a *app) printInventory(node map[string]any) {
	w := a.out
	fmt.Fprintf(w, "Inventory for %s:\n\n", cell(node["identity"]))
	for _, line := range [][2]string{{"State", "state"}, {"Last seen", "seen"}, {"First seen", "firstseen"}, {"Proven by", "auth"}, {"Collectives", "collectives"}} {
		fmt.Fprintf(w, "   %s: %s\n", line[0], printable(a.person(node[line[1]])))
	}
	for _, list := range [][2]string{{"Agents", "agents"}, {"Classes", "classes"}, {"Warnings", "warnings"}} {
		if items, _ := node[list[1]].([]any); len(items) > 0 {
			fmt.Fprintf(w, "\n   %s:\n", list[0])
			for _, item := range items {
				fmt.Fprintf(w, "      %s\n", printable(cell(item)))
			}
		}
	}
	for _, tree := range [][2]string{{"Trusted", "trusted"}, {"Facts", "facts"}} {
		if facts, _ := node[tree[1]].(map[string]any); len(facts) > 0 {
			fmt.Fprintf(w, "\n   %s:\n", tree[0])
			printTree(w, "      ", facts)
		}
	}
}

// printTree writes one leaf a line, by its path; lists stay on one line.
func printTree(w io.Writer, indent string, facts map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if deeper, ok := facts[name].(map[string]any); ok && len(deeper) > 0 {
			fmt.Fprintf(w, "%s%s:\n", indent, printable(name))
			printTree(w, indent+"   ", deeper)
			continue
		}
		fmt.Fprintf(w, "%s%s => %s\n", indent, printable(name), printable(cell(facts[name])))
	}
}

// person writes a moment as its age too, and a list with commas.
func (a *app) person(v any) string {
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return fmt.Sprintf("%s (%s ago)", v, age(a.env.Now().Sub(at)))
		}
		return v
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = cell(v[i])
		}
		return strings.Join(words, ", ")
	}
	return cell(v)
}

// age is a length of time in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// completeNodes offers the live names that begin as typed. A server that is
// down offers nothing: completion never shows an error.
func (a *app) completeNodes(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.quiet = true
	list, err := a.search(cmd.Context(), &filterFlags{state: "any"}, nil, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(list.names, func(name string) bool { return !strings.HasPrefix(name, typed) })
	return names, cobra.ShellCompDirectiveNoFileComp
}
