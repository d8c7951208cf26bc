package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// watchPause is how long a watch waits before it goes on after a broken stream.
const watchPause = time.Second

func (a *app) watchCommand() *cobra.Command {
	var f filterFlags
	var asJSON bool
	var after string
	cmd := &cobra.Command{
		Use:   "watch [filters] [QUERY]",
		Short: "nodes that enter or leave a query's answer, or change within it, as it happens",
		Long: `One line for each: when, enter, leave or change, and the node; below it what changed. It goes on after a lost connection where it
was. Interrupt ends it.`,
		Example: `  muster watch -C mysql::master
  muster watch -j 'customer=acme' | jq .identity`,
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := f.question(a, args)
			if err != nil {
				return err
			}
			c, err := a.newClient()
			if err != nil {
				return err
			}
			w := &watching{app: a, values: values, last: after, asJSON: asJSON}
			return w.run(cmd.Context(), c)
		},
	}
	f.register(a, cmd)
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "one JSON object a line")
	cmd.Flags().StringVar(&after, "after", "", "go on after the event of this `ID`")
	return cmd
}

// watching is a watch that goes on over lost connections.
type watching struct {
	*app
	values url.Values
	last   string // ID of the last event
	asJSON bool
	begun  bool
}

func (w *watching) run(ctx context.Context, c *client) error {
	for {
		err := c.each(ctx, func(server string) error { return w.follow(ctx, c, server) })
		refusal, refused := errors.AsType[*apiError](err)
		switch {
		case ctx.Err() != nil:
			return nil
		case refused && refusal.Status < 500, err != nil && !w.begun:
			return err
		}
		w.remarks([]string{"the stream broke off; going on"})
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// follow reads one stream to its end.
func (w *watching) follow(ctx context.Context, c *client, server string) error {
	head := http.Header{}
	if w.last != "" {
		head.Set("Last-Event-ID", w.last)
	}
	response, err := c.open(ctx, server, http.MethodGet, "/v1/watch?"+w.values.Encode(), head, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 16<<20)
	id, kind := "", ""
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			if err := w.show(kind, value); err != nil {
				return err
			}
			if kind != "began" || w.last == "" {
				w.last = id
			}
		}
	}
	return nil // broken off, or ended by the server: it goes on
}

func (w *watching) show(kind, data string) error {
	if kind == "began" {
		w.begun = true
		return nil
	}
	if kind != "enter" && kind != "leave" && kind != "change" {
		return nil
	}
	var e event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return fmt.Errorf("the registry tells of an event that is none: %w", err)
	}
	if w.asJSON {
		fmt.Fprintln(w.out, data)
	} else {
		fmt.Fprintf(w.out, "%s  %-6s  %s\n", e.At.Format(time.RFC3339), kind, printable(e.Identity))
		w.printChanges("   ", e.Changes, e.More)
	}
	return w.out.Flush()
}
