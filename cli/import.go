package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
)

// importBatch is how many documents are sent in one request.
const importBatch = 100

func (a *app) importCommand() *cobra.Command {
	var identity string
	var from puppetDBFlags
	cmd := &cobra.Command{
		Use:   "import [FILE|-]",
		Short: "bring node documents into a running server: NDJSON, a JSON array, or one host's facter --json",
		Example: `  muster import fleet.ndjson
  facter --json | muster import --identity web1.example.net -
  muster import --puppetdb https://puppetdb.example.net:8081`,
		Args: atMost(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from.url != "" {
				if len(args) > 0 || identity != "" {
					return usageFault("the documents come from a file or from a PuppetDB, not from both")
				}
				return a.importPuppetDB(cmd.Context(), from)
			}
			in, name := a.env.Stdin, "stdin"
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in, name = file, args[0]
			}
			documents, err := readDocuments(in, name, identity)
			if err != nil {
				return err
			}
			return a.importDocuments(cmd.Context(), documents)
		},
	}
	from.add(cmd.Flags(), "read the nodes from a PuppetDB, a `URL`")
	cmd.Flags().StringVar(&identity, "identity", "", "the input is the facts of this one `node`, as facter --json prints them")
	return of(classOther, cmd)
}

// readDocuments reads NDJSON, a JSON array (PuppetDB's inventory too), or the
// facts of one node. Whole: nothing is sent before everything could be read.
func readDocuments(in io.Reader, name, identity string) ([]json.RawMessage, error) {
	if identity != "" {
		facts, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if !json.Valid(facts) {
			return nil, usageFault("%s is not the JSON that facter --json prints", name)
		}
		document, err := json.Marshal(map[string]any{"identity": identity, "facts": json.RawMessage(facts)})
		return []json.RawMessage{document}, err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // what some editors put first
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, usageFault("%s begins like a JSON array and is none: %w", name, err)
		}
		for i := range list {
			if list[i], err = fromInventory(list[i]); err != nil {
				return nil, usageFault("%s, element %d: %w", name, i+1, err)
			}
		}
		return list, nil
	}
	var list []json.RawMessage
	err = eachLine(bytes.NewReader(text), name, func(line []byte, number int) error {
		if !json.Valid(line) {
			if json.Valid(text) {
				return usageFault("%s is one JSON document over several lines; facts of one node need its name: --identity NAME; a node document goes on one line", name)
			}
			return usageFault("%s, line %d is not JSON; nothing was imported", name, number)
		}
		document, err := fromInventory(bytes.Clone(line))
		list = append(list, document)
		return err
	})
	return list, err
}

// fromInventory turns an object of PuppetDB's inventory endpoint (certname,
// facts, resources or classes) into a node document of ours; others pass.
func fromInventory(raw json.RawMessage) (json.RawMessage, error) {
	var inventory struct {
		Identity string          `json:"identity"`
		Certname string          `json:"certname"`
		Facts    json.RawMessage `json:"facts"`
		Classes  []string        `json:"classes"`
	}
	if err := json.Unmarshal(raw, &inventory); err != nil {
		return nil, fmt.Errorf("it is not a node document: %w", err)
	}
	if inventory.Identity != "" || inventory.Certname == "" {
		return raw, nil
	}
	document := map[string]any{"identity": inventory.Certname, "facts": inventory.Facts}
	if inventory.Classes != nil {
		document["classes"] = inventory.Classes
	}
	return json.Marshal(document)
}

// importResult is one line's fate.
type importResult struct {
	Line     int      `json:"line"`
	Identity string   `json:"identity"`
	Accepted bool     `json:"accepted"`
	Reason   string   `json:"reason"`
	Detail   string   `json:"detail"`
	Warnings []string `json:"warnings"`
}

func (a *app) importDocuments(ctx context.Context, documents []json.RawMessage) error {
	c, err := a.newClient()
	if err != nil {
		return err
	}
	i := &importing{app: a, client: c, bar: a.newProgress("importing", len(documents))}
	return i.end(i.send(ctx, documents))
}

// importPuppetDB brings all nodes of a PuppetDB. It can be stopped, and begun
// again: what was brought is overwritten.
func (a *app) importPuppetDB(ctx context.Context, from puppetDBFlags) error {
	p, err := a.puppetDB(from)
	if err != nil {
		return err
	}
	c, err := a.newClient()
	if err != nil {
		return err
	}
	answer, err := p.ask(ctx, "inventory[count()] { }")
	if err != nil {
		return err
	}
	var count []struct{ Count int }
	if err := json.Unmarshal(answer, &count); err != nil || len(count) != 1 {
		return fmt.Errorf("the PuppetDB %s does not say how many nodes it has", p.base)
	}
	i := &importing{app: a, client: c, bar: a.newProgress("importing", count[0].Count)}
	return i.end(p.documents(ctx, func(documents []json.RawMessage) error { return i.send(ctx, documents) }))
}

// importing is an import under way.
type importing struct {
	app    *app
	client *client
	bar    *progress

	sent, accepted, refused int
}

// send registers documents, a batch at a time.
func (i *importing) send(ctx context.Context, documents []json.RawMessage) error {
	for batch := range slices.Chunk(documents, importBatch) {
		results, err := i.client.register(ctx, batch)
		if err != nil {
			return fmt.Errorf("after %d documents: %w", i.sent, err)
		}
		for _, r := range results {
			if r.Accepted {
				i.accepted++
				continue
			}
			i.refused++
			fmt.Fprintf(i.app.env.Stderr, "muster import: document %d (%s) was refused: %s: %s\n", i.sent+r.Line, printable(r.Identity), r.Reason, printable(r.Detail))
		}
		i.sent += len(batch)
		i.bar.at(i.sent)
	}
	return nil
}

// end says what became of all.
func (i *importing) end(err error) error {
	i.bar.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(i.app.out, "%d accepted, %d refused\n", i.accepted, i.refused)
	if i.refused > 0 {
		return &fault{kind: faultFailed}
	}
	return nil
}
