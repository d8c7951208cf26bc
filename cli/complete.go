package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// completeQuery offers how a query can go on, from the grammar and the names
// that nodes have. A server that is down offers nothing: completion never
// shows an error.
func (a *app) completeQuery(dialect string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		c, err := a.newClient()
		if err != nil {
			return nil, directive
		}
		var answer struct {
			Start      int
			Candidates []string
		}
		asked := url.Values{"q": {typed}, "dialect": {dialect}}
		if err := c.do(cmd.Context(), http.MethodGet, "/v1/complete?"+asked.Encode(), nil, &answer); err != nil || answer.Start > len(typed) {
			return nil, directive
		}
		offers := make([]string, len(answer.Candidates))
		for i, candidate := range answer.Candidates {
			offers[i] = typed[:answer.Start] + candidate
		}
		return offers, directive
	}
}
