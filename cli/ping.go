package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/agent"
)

// brokerWithin is how long a command waits for a connection to the broker.
const brokerWithin = 5 * time.Second

// selection is a filter and the flags of what acts on the nodes it names.
type selection struct {
	filterFlags
	all     bool
	timeout int
}

func (s *selection) register(a *app, cmd *cobra.Command) {
	s.filterFlags.register(a, cmd)
	cmd.Flags().BoolVar(&s.all, "all", false, "every node; needed where no filter is given")
	cmd.Flags().IntVarP(&s.timeout, "timeout", "t", 12, "`seconds` to wait for the nodes' answers")
}

// nodes is the discovery list of what a command acts on.
func (a *app) selected(ctx context.Context, s *selection, args []string) ([]string, error) {
	if _, err := s.understand(a, args); err != nil {
		return nil, err
	}
	if s.Empty() && s.only == "" && !s.all {
		return nil, usageFault("which nodes? Give a filter, such as -W customer=acme, or --all")
	}
	list, err := a.search(ctx, &s.filterFlags, nil, "")
	return list.names, err
}

func (s *selection) call(agentName, action string, data any, nodes []string) agent.Call {
	return agent.Call{
		Agent: agentName, Action: action, Data: data, Nodes: nodes, Collective: s.target,
		Timeout: time.Duration(s.timeout) * time.Second,
	}
}

func (a *app) pingCommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:     "ping [filters]",
		Short:   "ask the nodes themselves whether they are there, and how long they take",
		Example: "  muster ping -W customer=acme",
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.Empty() && s.only == "" && len(args) == 0 {
				s.all = true // asking is harmless, and mco ping asks everybody
			}
			nodes, err := a.selected(cmd.Context(), &s, args)
			if err != nil {
				return err
			}
			if len(nodes) == 0 {
				return &fault{kind: faultNothing, err: fmt.Errorf("no node matches")}
			}
			return a.ping(cmd.Context(), s.call("rpcutil", "ping", nil, nodes))
		},
	}
	s.register(a, cmd)
	return of(classRPC, cmd)
}

func (a *app) ping(ctx context.Context, call agent.Call) error {
	var times []time.Duration
	failed := 0
	outcome, err := a.call(ctx, call, func(r agent.Reply) {
		if r.Status != agent.OK {
			failed++
			fmt.Fprintf(a.env.Stderr, "muster ping: %s answers: %s\n", r.Sender, printable(r.Message))
			return
		}
		times = append(times, r.Took)
		fmt.Fprintf(a.out, "%-40s time=%.2f ms\n", r.Sender, milliseconds(r.Took))
		_ = a.out.Flush() // a failure stays with the writer and is reported at the end
	})
	if err != nil {
		return err
	}
	a.printPingStatistics(times)
	a.reportSilent(outcome)
	switch {
	case outcome.Replies == 0:
		return &fault{kind: faultSilent}
	case failed > 0:
		return &fault{kind: faultSome}
	}
	return nil
}

func (a *app) printPingStatistics(times []time.Duration) {
	fmt.Fprint(a.out, "\n\n---- ping statistics ----\n")
	if len(times) == 0 {
		fmt.Fprintln(a.out, "No responses received")
		return
	}
	least, most, sum := times[0], times[0], time.Duration(0)
	for _, t := range times {
		least, most, sum = min(least, t), max(most, t), sum+t
	}
	fmt.Fprintf(a.out, "%d replies max: %.2f min: %.2f avg: %.2f \n",
		len(times), milliseconds(most), milliseconds(least), milliseconds(sum)/float64(len(times)))
}

// reportSilent names who did not answer, and what was not believed.
func (a *app) reportSilent(o agent.Outcome) {
	if len(o.Silent) > 0 {
		fmt.Fprintf(a.env.Stderr, "\nNo response from %d:\n   %s\n", len(o.Silent), strings.Join(o.Silent, "\n   "))
	}
	for _, u := range o.Unproven {
		fmt.Fprintf(a.env.Stderr, "not believed: an answer of %q: %s\n", printable(u.Sender), printable(u.Reason))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
