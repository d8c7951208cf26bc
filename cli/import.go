package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// importBatch is how many documents are sent in one request.
const importBatch = 100

func (a *app) importCommand() *cobra.Command {
	var identity string
	cmd := &cobra.Command{
		Use:   "import [FILE|-]",
		Short: "bring node documents into a running server: NDJSON, a JSON array, or one host's facter --json",
		Example: `  muster import fleet.ndjson
  facter --json | muster import --identity web1.example.net -`,
		Args: atMost(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
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
	bar := a.newProgress("importing", len(documents))
	accepted, refused := 0, 0
	for start := 0; start < len(documents); start += importBatch {
		batch := documents[start:min(start+importBatch, len(documents))]
		results, err := c.register(ctx, batch)
		if err != nil {
			bar.end()
			return fmt.Errorf("after %d of %d documents: %w", start, len(documents), err)
		}
		for _, r := range results {
			if r.Accepted {
				accepted++
				continue
			}
			refused++
			fmt.Fprintf(a.env.Stderr, "muster import: document %d (%s) was refused: %s: %s\n", start+r.Line, printable(r.Identity), r.Reason, printable(r.Detail))
		}
		bar.at(start + len(batch))
	}
	bar.end()
	fmt.Fprintf(a.out, "%d accepted, %d refused\n", accepted, refused)
	if refused > 0 {
		return &fault{kind: faultFailed}
	}
	return nil
}
