package query

import (
	"fmt"
	"strconv"
	"strings"
)

// clauses lowers what follows the pipes.
func (l *lowerer) clauses(q *Query, pipes []*clauseNode) error {
	for _, pipe := range pipes {
		for _, n := range pipe.Clauses {
			if err := l.clause(q, n); err != nil {
				return err
			}
		}
	}
	for _, p := range q.GroupBy {
		if len(q.Select) > 0 && !selects(q.Select, p) {
			q.Select = append([]Column{{Path: p}}, q.Select...)
		}
	}
	return nil
}

func selects(columns []Column, p Path) bool {
	for _, c := range columns {
		if c.Func == "" && c.Path.tree() == p.tree() {
			return true
		}
	}
	return false
}

func (l *lowerer) clause(q *Query, n *pipeNode) (err error) {
	start := n.Pos.Offset
	twice := func(is bool, name string) {
		if is && err == nil {
			err = l.fail(start, start+len(name), name+" is said twice", "")
		}
	}
	switch {
	case n.Select != nil:
		twice(len(q.Select) > 0, "select")
		for _, column := range n.Select {
			c, fault := l.column(column, q)
			if fault != nil {
				return fault
			}
			q.Select = append(q.Select, c)
		}
	case n.Group != nil:
		twice(len(q.GroupBy) > 0, "group by")
		return l.group(q, n, err)
	case n.Order != nil:
		twice(len(q.OrderBy) > 0, "order by")
		for _, order := range n.Order {
			c, fault := l.column(order.Of, q)
			if fault != nil {
				return fault
			}
			c.Desc = order.Minus != (order.Way == "desc")
			q.OrderBy = append(q.OrderBy, c)
		}
	case n.Limit != "":
		twice(q.Limit != nil, "limit")
		limit, fault := l.number("limit", n.Limit, start)
		if fault != nil {
			return fault
		}
		q.Limit = &limit
	case n.Offset != "":
		twice(q.Offset != 0, "offset")
		offset, fault := l.number("offset", n.Offset, start)
		if fault != nil {
			return fault
		}
		q.Offset = offset
	case n.Sample != nil:
		twice(q.Sample != 0, "sample")
		return l.sample(q, n, err)
	}
	return err
}

// group lowers group by: its paths, and the figures to show of each group.
func (l *lowerer) group(q *Query, n *pipeNode, err error) error {
	for _, node := range n.Group {
		c, fault := l.column(node, q)
		if fault != nil {
			return fault
		}
		if c.Func == "" {
			q.GroupBy = append(q.GroupBy, c.Path)
		}
		if c.Func != "" || !selects(q.Select, c.Path) {
			q.Select = append(q.Select, c)
		}
	}
	if len(q.GroupBy) == 0 && err == nil {
		return l.fail(n.Pos.Offset, n.Pos.Offset+len("group"), "group by needs a path", "as in group by site count()")
	}
	return err
}

func (l *lowerer) sample(q *Query, n *pipeNode, err error) error {
	count, fault := l.number("sample", n.Sample.Count, n.Pos.Offset)
	if fault != nil {
		return fault
	}
	if count == 0 {
		return l.fail(n.Pos.Offset, n.Pos.Offset+len("sample"), "a sample of 0 is empty", "a number above 0")
	}
	q.Sample = count
	if n.Sample.Per != nil {
		c, fault := l.column(n.Sample.Per, q)
		if fault != nil {
			return fault
		}
		q.Per = &c.Path
	}
	return err
}

func (l *lowerer) number(name, text string, start int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<31-1 || text != strconv.Itoa(n) {
		at := start + strings.Index(l.text[start:], text)
		return 0, l.fail(at, at+len(text), fmt.Sprintf("%q is no number for %s", text, name), "a whole number from 0")
	}
	return n, nil
}

// column lowers a path, or a function over the rows of a group. The bare name
// of a function that is already a column means that column.
func (l *lowerer) column(n *columnNode, q *Query) (Column, error) {
	start := n.Pos.Offset
	if n.Call == nil {
		for _, c := range q.Select {
			if c.Func != "" && c.Func == n.Word {
				return Column{Func: c.Func, Path: c.Path}, nil
			}
		}
		p, err := l.path(n.Word, start)
		return Column{Path: p}, err
	}
	name := strings.ToLower(strings.TrimSuffix(n.Call.Name, "("))
	switch name {
	case "count", "sum", "avg", "min", "max":
	default:
		return Column{}, l.fail(start, start+len(n.Call.Name)-1, fmt.Sprintf("there is no function %s() for columns", name), "count(), sum(), avg(), min() or max()")
	}
	if n.Call.Output != "" || len(n.Call.Args) > 1 || len(n.Call.Args) == 0 && name != "count" {
		return Column{}, l.fail(start, start+len(n.Call.Name), name+"() takes one path", name+"(fact)")
	}
	c := Column{Func: name}
	if len(n.Call.Args) == 0 {
		return c, nil
	}
	p, err := l.path(n.Call.Args[0], start+len(n.Call.Name))
	c.Path = p
	return c, err
}
