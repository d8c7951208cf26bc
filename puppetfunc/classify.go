package puppetfunc

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"muster/query"
	"muster/registry"
)

// Classification is what an external node classifier says of a node.
type Classification struct {
	Classes     map[string]map[string]any // by name, with their parameters; nil: none
	Parameters  map[string]any            // top-scope variables
	Environment string                    // empty: the agent's own
}

// Rule gives a classification to the nodes that a query names.
type Rule struct {
	Query string // native, unless it reads as another dialect; empty: every node
	Classification

	// From are parameters that have the value of a fact, such as
	// {"role": "trusted.extensions.pp_role"}. A node without it lacks the parameter.
	From map[string]string
}

// Classifier classifies nodes by rules.
//
//	c, err := puppetfunc.NewClassifier([]puppetfunc.Rule{{Query: "trusted.extensions.pp_role=db", …}}, nil)
//	said, ok := c.Classify(node.Document(), time.Now())
type Classifier struct {
	rules   []Rule
	queries []*query.Query
}

// NewClassifier checks the rules: that their queries are about one node alone,
// and that Puppet takes the names. saved are queries for @name.
func NewClassifier(rules []Rule, saved map[string]string) (*Classifier, error) {
	c := &Classifier{rules: rules, queries: make([]*query.Query, len(rules))}
	for i, r := range rules {
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		for name := range r.From {
			if err := checkParameter(name); err != nil {
				return nil, fmt.Errorf("rule %d: %w", i+1, err)
			}
		}
		q := &query.Query{Filter: query.All{}}
		if r.Query != "" {
			var err error
			if q, err = query.Parse(r.Query, query.Options{Saved: saved}); err != nil {
				return nil, fmt.Errorf("rule %d: %w", i+1, err)
			}
		}
		if !aboutOneNode(q) {
			return nil, fmt.Errorf("rule %d: the query %q is not about a node alone; leave out other nodes, their history, groups and limits", i+1, r.Query)
		}
		c.queries[i] = q
	}
	return c, nil
}

// aboutOneNode reports whether q can be answered from a node's document.
func aboutOneNode(q *query.Query) bool {
	alone := q.Entity == "" && len(q.GroupBy) == 0 && q.Limit == nil && q.Offset == 0 && q.Sample == 0 && q.Where == nil
	query.Map(q.Filter, func(e query.Expr) query.Expr {
		switch e.(type) {
		case *query.Subquery, *query.Changed:
			alone = false
		case query.All, query.And, query.Or, query.Not, *query.Compare, *query.Has:
		}
		return e
	})
	return alone
}

// Classify is what the rules say together, in their order: classes add up, and of
// what two rules set the later one counts. ok is false where no rule holds.
func (c *Classifier) Classify(doc *query.Document, now time.Time) (said Classification, ok bool) {
	for i, r := range c.rules {
		if !query.Matches(c.queries[i].Filter, doc, now) {
			continue
		}
		ok = true
		said.add(r.Classification)
		for name, path := range r.From {
			if values := registry.ParsePath(path).Values(doc); len(values) > 0 {
				said.add(Classification{Parameters: map[string]any{name: values[0]}})
			}
		}
	}
	return said, ok
}

func (c *Classification) add(more Classification) {
	for name, parameters := range more.Classes {
		if c.Classes == nil {
			c.Classes = map[string]map[string]any{}
		}
		merged := maps.Clone(c.Classes[name])
		if merged == nil {
			merged = map[string]any{}
		}
		maps.Copy(merged, parameters)
		c.Classes[name] = merged
	}
	if len(more.Parameters) > 0 && c.Parameters == nil {
		c.Parameters = map[string]any{}
	}
	maps.Copy(c.Parameters, more.Parameters)
	if more.Environment != "" {
		c.Environment = more.Environment
	}
}

var (
	className       = regexp.MustCompile(`^[a-z][a-z0-9_]*(::[a-z][a-z0-9_]*)*$`)
	parameterName   = regexp.MustCompile(`^[a-z_][a-zA-Z0-9_]*$`)
	environmentName = regexp.MustCompile(`^[a-z0-9_]+$`)
)

// Check says which name Puppet would not take.
func (c *Classification) Check() error {
	for _, name := range slices.Sorted(maps.Keys(c.Classes)) {
		if !className.MatchString(name) {
			return fmt.Errorf("%q is no class name of Puppet's, such as mysql::master", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		if err := checkParameter(name); err != nil {
			return err
		}
	}
	if c.Environment != "" && !environmentName.MatchString(c.Environment) {
		return fmt.Errorf("%q is no environment of Puppet's; it has lower-case letters, digits and _", c.Environment)
	}
	return nil
}

// checkParameter refuses what is no variable, and those that Puppet sets itself.
func checkParameter(name string) error {
	if !parameterName.MatchString(name) {
		return fmt.Errorf("%q is no variable of Puppet's, such as customer", name)
	}
	if slices.Contains([]string{"trusted", "facts", "server_facts", "environment", "title", "name"}, name) {
		return fmt.Errorf("$%s is Puppet's own; take another name", name)
	}
	return nil
}
