package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"muster/query"
)

// filterFlags is what every command that selects nodes takes.
type filterFlags struct {
	query.Filters
	dialect string
	params  []string
	target  string
	state   string
	limit   string
	one     bool
	only    string // --nodes
	flags   *pflag.FlagSet
}

func (f *filterFlags) register(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	f.flags = flags
	flags.StringArrayVarP(&f.With, "with", "W", nil, "classes and facts, `\"customer=acme mysql::master\"`")
	flags.StringArrayVarP(&f.Select, "select", "S", nil, "an `expression`: \"os=Debian and !/^db/\"")
	flags.StringArrayVarP(&f.Fact, "with-fact", "F", nil, "a fact, `NAME=VALUE`, with = != =~ < > <= >= (also --wf)")
	flags.StringArrayVarP(&f.Class, "with-class", "C", nil, "a class, or a regex between slashes (also --wc)")
	flags.StringArrayVarP(&f.Agent, "with-agent", "A", nil, "an RPC agent, or a regex between slashes (also --wa)")
	flags.StringArrayVarP(&f.Identity, "with-identity", "I", nil, "an identity, or a regex; several are alternatives (also --wi)")
	flags.StringVarP(&f.Query, "query", "Q", "", "a query in the `dialect` of --dialect")
	flags.StringVar(&f.dialect, "dialect", "auto", "how --query is read: auto native select with mongo pql ast")
	flags.StringArrayVar(&f.params, "param", nil, "`NAME=VALUE` bound to $name, or VALUE bound to the next ?")
	flags.StringVarP(&f.target, "target", "T", "", "only nodes of this `collective`")
	flags.StringVar(&f.state, "state", "", "active stale expired deactivated live any (default live: active and stale)")
	flags.StringVar(&f.limit, "limit", "", "at most `N` nodes, or N% of them (also --ln)")
	flags.BoolVarP(&f.one, "one", "1", false, "the first node only")
	flags.StringVar(&f.only, "nodes", "", "only nodes named in this `file`, one a line or JSON; - is stdin")
	flags.SetNormalizeFunc(normalizeFilterFlag)
	for flag, dialect := range map[string]string{"with": "with", "select": "select", "with-fact": "with", "query": "auto"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, a.completeQuery(dialect)) // fails for a flag that is not there
	}
}

// normalizeFilterFlag keeps the spellings that fingers know.
func normalizeFilterFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "wf":
		name = "with-fact"
	case "wc":
		name = "with-class"
	case "wa":
		name = "with-agent"
	case "wi":
		name = "with-identity"
	case "ln", "limit-nodes":
		name = "limit"
	}
	return pflag.NormalizedName(name)
}

// parse reads the filters here, so that a mistake is pointed at even when the
// server is down. An argument that is no flag is a query too.
func (f *filterFlags) parse(a *app, args []string) (*query.Query, error) {
	if len(args) > 0 {
		if f.Query != "" {
			return nil, usageFault("a query is given twice: by --query and as %q", args[0])
		}
		f.Query = strings.Join(args, " ")
	}
	if f.Query == "" && (len(args) > 0 || f.flags != nil && f.flags.Changed("query")) {
		return nil, usageFault("the query is empty; without one, every node is meant")
	}
	dialect, err := query.ParseDialect(f.dialect)
	if err != nil {
		return nil, usageFault("%w", err)
	}
	f.Dialect = dialect
	if err := f.bindParams(); err != nil {
		return nil, err
	}
	if _, _, err := f.parseLimit(); err != nil {
		return nil, err
	}
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	f.Saved = c.Saved
	return f.Parse()
}

// understand is parse for what a server will answer: it may know saved queries
// that the settings here do not.
func (f *filterFlags) understand(a *app, args []string) (*query.Query, error) {
	q, err := f.parse(a, args)
	if syntax, ok := errors.AsType[*query.SyntaxError](err); ok && strings.HasPrefix(syntax.Text[syntax.Offset:], "@") {
		return &query.Query{Filter: query.All{}}, nil
	}
	return q, err
}

func (f *filterFlags) bindParams() error {
	for _, p := range f.params {
		name, value, named := strings.Cut(p, "=")
		if !named {
			f.Positional = append(f.Positional, p)
			continue
		}
		if f.Named == nil {
			f.Named = map[string]any{}
		}
		if _, twice := f.Named[name]; twice {
			return usageFault("--param %s is given twice", name)
		}
		f.Named[name] = value
	}
	return nil
}

// parseLimit reads N or N%; none is 0.
func (f *filterFlags) parseLimit() (n int, percent bool, err error) {
	if f.one {
		return 1, false, nil
	}
	if f.limit == "" {
		return 0, false, nil
	}
	text, percent := strings.CutSuffix(f.limit, "%")
	n, err = strconv.Atoi(text)
	if err != nil || n < 1 || percent && n > 100 {
		return 0, false, usageFault("--limit %s is neither a number of nodes nor a share such as 10%%", f.limit)
	}
	return n, percent, nil
}

// searchRequest is the body of POST /v1/search.
type searchRequest struct {
	Q          string         `json:"q,omitempty"`
	Dialect    string         `json:"dialect,omitempty"`
	With       []string       `json:"with,omitempty"`
	Select     []string       `json:"select,omitempty"`
	Fact       []string       `json:"fact,omitempty"`
	Class      []string       `json:"class,omitempty"`
	Agent      []string       `json:"agent,omitempty"`
	Identity   []string       `json:"identity,omitempty"`
	Params     map[string]any `json:"params,omitempty"`
	Positional []any          `json:"positional,omitempty"`
	Fields     []string       `json:"fields,omitempty"`
	Sort       string         `json:"sort,omitempty"`
	State      string         `json:"state,omitempty"`
	Collective string         `json:"collective,omitempty"`
	Cursor     string         `json:"cursor,omitempty"`
}

// searchAnswer is what it answers: names, or objects where fields were asked for.
type searchAnswer struct {
	Count    int               `json:"count"`
	Complete bool              `json:"complete"`
	Oldest   time.Time         `json:"oldest"`
	Warnings []string          `json:"warnings"`
	Nodes    []json.RawMessage `json:"nodes"`
	Cursor   string            `json:"cursor"`
	Columns  []string          `json:"columns"` // of a query that asks for rows, such as groups
	Rows     [][]any           `json:"rows"`
}

func (f *filterFlags) request() searchRequest {
	return searchRequest{
		Q: f.Query, Dialect: string(f.Dialect), With: f.With, Select: f.Select, Fact: f.Fact, Class: f.Class,
		Agent: f.Agent, Identity: f.Identity, Params: f.Named, Positional: f.Positional,
		State: f.state, Collective: f.target,
	}
}

// found is a discovery list, with the fields that were asked for.
type found struct {
	names   []string
	objects []map[string]any // nil where no fields were asked for
	columns []string         // of rows that are no nodes, such as groups
	rows    [][]any
}

// search asks the registry, page after page, and applies --nodes and --limit.
// An answer that is not whole is a failure: never a short list.
func (a *app) search(ctx context.Context, f *filterFlags, fields []string, sort string) (found, error) {
	c, err := a.newClient()
	if err != nil {
		return found{}, err
	}
	only, err := a.readNodes(f.only)
	if err != nil {
		return found{}, err
	}
	request := f.request()
	request.Fields, request.Sort = fields, sort
	var all found
	for page := 0; ; page++ {
		var answer searchAnswer
		if err := c.do(ctx, "POST", "/v1/search", request, &answer); err != nil {
			return found{}, err
		}
		if page == 0 && !a.quiet {
			for _, w := range answer.Warnings {
				fmt.Fprintln(a.env.Stderr, "muster: note:", w)
			}
		}
		if answer.Columns != nil {
			rows := found{columns: answer.Columns, rows: answer.Rows}
			return rows, f.cut(&rows)
		}
		if err := all.add(answer.Nodes, only); err != nil {
			return found{}, err
		}
		if answer.Complete {
			break
		}
		if answer.Cursor == "" || answer.Cursor == request.Cursor {
			return found{}, unreachable("the registry answered with a part of the nodes only")
		}
		request.Cursor = answer.Cursor
	}
	return all, f.cut(&all)
}

// cut keeps what --limit and --one allow.
func (f *filterFlags) cut(list *found) error {
	n, percent, err := f.parseLimit()
	if percent {
		n = (max(len(list.names), len(list.rows))*n + 99) / 100
	}
	if n > 0 {
		list.rows = list.rows[:min(n, len(list.rows))]
		list.names = list.names[:min(n, len(list.names))]
		list.objects = list.objects[:min(n, len(list.objects))]
	}
	return err
}

func (f *found) add(nodes []json.RawMessage, only map[string]bool) error {
	for _, raw := range nodes {
		var name string
		var object map[string]any
		if err := json.Unmarshal(raw, &name); err != nil {
			decoder := json.NewDecoder(strings.NewReader(string(raw)))
			decoder.UseNumber()
			if err := decoder.Decode(&object); err != nil {
				return unreachable("the registry answered with a node that is neither a name nor an object")
			}
			name, _ = object["identity"].(string)
		}
		if only != nil && !only[strings.ToLower(name)] {
			continue
		}
		f.names = append(f.names, name)
		if object != nil {
			f.objects = append(f.objects, object)
		}
	}
	return nil
}

// readNodes is the set of names in a file, lower-cased; nil for no file. A
// JSON array holds names, or objects with a sender or identity: what mco and
// muster print with -j.
func (a *app) readNodes(path string) (map[string]bool, error) {
	if path == "" {
		return nil, nil
	}
	in := a.env.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usageFault("--nodes: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading the node list %s: %w", path, err)
	}
	set := map[string]bool{}
	if trimmed := strings.TrimSpace(string(text)); strings.HasPrefix(trimmed, "[") {
		var list []any
		if err := json.Unmarshal([]byte(trimmed), &list); err != nil {
			return nil, usageFault("--nodes %s: it begins like JSON and is none: %w", path, err)
		}
		for i, item := range list {
			name, ok := nodeName(item)
			if !ok {
				return nil, usageFault("--nodes %s: element %d is neither a name nor an object with a sender or identity", path, i+1)
			}
			set[strings.ToLower(name)] = true
		}
		return set, nil
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" && !strings.HasPrefix(name, "#") {
			set[strings.ToLower(name)] = true
		}
	}
	return set, lines.Err()
}

func nodeName(item any) (string, bool) {
	switch v := item.(type) {
	case string:
		return v, true
	case map[string]any:
		for _, key := range []string{"sender", "identity"} {
			if name, ok := v[key].(string); ok {
				return name, true
			}
		}
	}
	return "", false
}
