package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"muster/internal/durable"
	"muster/puppetfunc"
	"muster/query"
	"muster/registry"
)

// encTimeout is how long the registry may take: a catalog waits.
const encTimeout = 3 * time.Second

func (a *app) encCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "enc CERTNAME",
		Short: "what Puppet's external node classifier says of a node, by the rules in the settings",
		Long: `Classes, parameters and the environment, as YAML, from the rules under enc in the settings and what the registry knows of the node. An unknown
node is no mistake: it gets what enc.default says. Where no registry answers, what was last known of the node serves.
It reads no settings of the user's own: --config, MUSTER_CONFIG, or /etc/muster/muster.yaml.`,
		Example: `  muster enc db1.acme.net
  puppet apply --node_terminus exec --external_nodes '/usr/bin/muster enc' site.pp`,
		Args: exactly(1, "the name of one node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.siteOnly = true
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			e, err := a.newENC(c)
			if err != nil {
				return err
			}
			said, err := e.classify(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return writeClassification(a.out, said)
		},
	}
}

// enc answers for one node at a time.
type enc struct {
	classifier *puppetfunc.Classifier
	fallback   *puppetfunc.Classification // nil: none is set
	client     *client
	cache      string // folder of what was last known, one file a node
	timeout    time.Duration
	now        func() time.Time
	remark     func(string)
}

func (a *app) newENC(c config) (*enc, error) {
	rules, fallback, err := c.ENC.rules()
	if err != nil {
		return nil, err
	}
	e := &enc{fallback: fallback, cache: c.ENC.Cache, timeout: time.Duration(c.ENC.Timeout), now: a.env.Now}
	if e.classifier, err = puppetfunc.NewClassifier(rules, c.Saved); err != nil {
		return nil, usageFault("the settings under enc: %w", err)
	}
	if e.client, err = clientOf(c, nil); err != nil {
		return nil, err
	}
	if e.cache == "" {
		e.cache = a.dataDir(config{}, "enc")
	}
	if e.timeout == 0 {
		e.timeout = encTimeout
	}
	e.remark = func(text string) { a.remarks([]string{text}) }
	return e, nil
}

// classify says what the node is. The error is that nothing can be said.
func (e *enc) classify(ctx context.Context, certname string) (*puppetfunc.Classification, error) {
	id, err := registry.ParseIdentity(certname)
	if err != nil {
		return nil, usageFault("%q cannot be a node: %w", certname, err)
	}
	text, err := e.node(ctx, id)
	if err != nil {
		if e.fallback == nil {
			return nil, err
		}
		e.remark(err.Error() + "; enc.default is said")
		return e.fallback, nil
	}
	doc := &query.Document{Identity: string(id)}
	if text != nil {
		if doc, err = registry.DecodeDocument(text); err != nil {
			return nil, fmt.Errorf("reading what is known of %s: %w", id, err)
		}
	}
	said, ok := e.classifier.Classify(doc, e.now())
	if !ok && e.fallback != nil {
		return e.fallback, nil
	}
	return &said, nil
}

// unknown is what is kept of a node that the registry did not know.
var unknown = []byte("null")

// node is what the registry knows of a node, or last knew; nil: it does not
// know it.
func (e *enc) node(ctx context.Context, id registry.Identity) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	var text json.RawMessage
	err := e.client.do(ctx, http.MethodGet, "/v1/nodes/"+url.PathEscape(string(id)), nil, &text)
	path := filepath.Join(e.cache, strings.ToLower(string(id))+".json")
	if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status == http.StatusNotFound {
		text, err = unknown, nil
	}
	if err == nil {
		if keepErr := keep(path, text); keepErr != nil {
			e.remark(fmt.Sprintf("what is known of %s is not kept: %v", id, keepErr))
		}
	} else if text, err = e.last(path, id, err); err != nil {
		return nil, err
	}
	if bytes.Equal(text, unknown) {
		return nil, nil
	}
	return text, nil
}

// keep writes what was learnt, unless it is there already.
func keep(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.Write(path, text)
}

// last is what was kept of a node, since the registry could not be asked.
func (e *enc) last(path string, id registry.Identity, cause error) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nothing can be said of %s: %w; and nothing is kept of it", id, cause)
	}
	if err != nil {
		return nil, fmt.Errorf("nothing can be said of %s: %w; and what is kept of it cannot be read: %w", id, cause, err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("nothing can be said of %s: %w; and what is kept of it in %s is damaged", id, cause, path)
	}
	age := "some time"
	if info, err := os.Stat(path); err == nil {
		age = e.now().Sub(info.ModTime()).Round(time.Second).String()
	}
	e.remark(fmt.Sprintf("%v; what was known %s ago serves", cause, age))
	return text, nil
}

// writeClassification writes what Puppet reads.
func writeClassification(w interface{ Write([]byte) (int, error) }, said *puppetfunc.Classification) error {
	out := struct {
		Classes     map[string]map[string]any `yaml:"classes"`
		Parameters  any                       `yaml:"parameters"`
		Environment string                    `yaml:"environment,omitempty"`
	}{said.Classes, plainNumbers(said.Parameters), said.Environment}
	if said.Classes == nil {
		out.Classes = map[string]map[string]any{}
	}
	if said.Parameters == nil {
		out.Parameters = map[string]any{}
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	return errors.Join(encoder.Encode(out), encoder.Close())
}
