package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// whyAnswer is what GET /v1/why answers.
type whyAnswer struct {
	Node    string `json:"node"`
	Matches bool   `json:"matches"`
	Reasons []struct {
		Clause string `json:"clause"`
		Seen   string `json:"seen"`
	} `json:"reasons"`
}

func (a *app) whyCommand() *cobra.Command {
	var f filterFlags
	cmd := &cobra.Command{
		Use:     "why NODE [filters] [QUERY]",
		Short:   "which clauses of a query reject a node, and what the node has there",
		Example: `  muster why web2.acme.net -S "operatingsystem=CentOS and !environment=dev"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageFault("which node? muster why NODE -S \"…\"")
			}
			if _, err := f.understand(a, args[1:]); err != nil {
				return err
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			var answer whyAnswer
			err = c.do(cmd.Context(), http.MethodGet, "/v1/why?"+f.values(args[0]).Encode(), nil, &answer)
			if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status == http.StatusNotFound {
				return &fault{kind: faultNothing, err: fmt.Errorf("no node is called %q", args[0])}
			}
			if err != nil {
				return err
			}
			a.printWhy(answer)
			return nil
		},
	}
	f.register(a, cmd)
	cmd.ValidArgsFunction = a.completeNodes
	return of(classFind, cmd)
}

// values are the filters as query parameters, beside the node.
func (f *filterFlags) values(node string) url.Values {
	v := url.Values{"node": {node}}
	for key, list := range map[string][]string{
		"with": f.With, "select": f.Select, "fact": f.Fact, "class": f.Class, "agent": f.Agent, "identity": f.Identity, "param": f.params,
	} {
		if len(list) > 0 {
			v[key] = list
		}
	}
	for key, text := range map[string]string{"q": f.Query, "state": f.state, "collective": f.target} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if f.Query != "" {
		v.Set("dialect", string(f.Dialect))
	}
	return v
}

func (a *app) printWhy(answer whyAnswer) {
	if answer.Matches {
		fmt.Fprintf(a.out, "%s matches\n", answer.Node)
		return
	}
	fmt.Fprintf(a.out, "%s is rejected by\n", answer.Node)
	for _, r := range answer.Reasons {
		fmt.Fprintf(a.out, "   %s        it has %s\n", printable(r.Clause), printable(r.Seen))
	}
}
