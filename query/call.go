package query

import (
	"fmt"
	"slices"
	"strings"
)

// liveFunctions are the ancestor's data plugins: only a node itself can answer.
var liveFunctions = [...]string{
	"agent", "augeas_match", "fstat", "nettest", "nrpe", "package", "process", "puppet", "resource", "service", "sysctl",
}

var knownFunctions = [...]string{"fact", "collective", "ver", "fold", "count", "text", "typed", "native"}

// call lowers a function on the left of a comparison.
func (l *lowerer) call(n *callNode, start int) (operand, error) {
	name := strings.ToLower(strings.TrimSuffix(n.Name, "("))
	end := start + len(n.Name)
	output, dotted := strings.CutPrefix(n.Output, ".")
	if view, ok := viewFunctions[name]; ok || name == "fold" || name == "count" {
		if len(n.Args) != 1 || n.Output != "" {
			return operand{}, l.fail(start, end, fmt.Sprintf("%s() takes one path and has no output", name), name+"(fact)")
		}
		path, err := l.path(n.Args[0], strings.Index(l.text[start:], n.Args[0])+start)
		if err != nil {
			return operand{}, err
		}
		o := operand{path: path, fold: name == "fold", count: name == "count"}
		if o.view = view; name == "native" {
			o.view = viewOf(path, false)
		}
		return o, nil
	}
	name = strings.TrimSuffix(name, "_data")
	known := name == "fact" || name == "collective" || slices.Contains(liveFunctions[:], name)
	if !known {
		want := "fact('name').value, ver(fact), fold(fact) or count(fact)"
		if near := nearest(name, append(slices.Clone(liveFunctions[:]), knownFunctions[:]...)); near != "" {
			want = near + "()"
		}
		return operand{}, l.fail(start, end-1, fmt.Sprintf("there is no function %s()", name), want)
	}
	if len(n.Args) != 1 || !strings.ContainsAny(n.Args[0][:1], `'"`) {
		return operand{}, l.fail(start, end, name+"() takes one name in quotes", name+"('name')")
	}
	arg, err := unquote(n.Args[0], start)
	if err != nil {
		return operand{}, err
	}
	if !dotted {
		return operand{}, l.fail(start, end, name+"() needs an output", outputsOf(name))
	}
	return l.answer(name, arg, output, start, end)
}

func outputsOf(name string) string {
	switch name {
	case "fact":
		return ".value or .exists after it"
	case "collective":
		return ".member after it"
	}
	return "the name of an output after it, as in fstat('/etc/hosts').mode"
}

// answer is what one output of a function stands for.
func (l *lowerer) answer(name, arg, output string, start, end int) (operand, error) {
	bad := func() (operand, error) {
		return operand{}, l.fail(start, end, fmt.Sprintf("%s() has no output %q", name, output), outputsOf(name))
	}
	switch name {
	case "fact":
		if arg == "" {
			l.warnings = append(l.warnings, "fact('') names no fact: the comparison is always false")
			return operand{yes: not(All{}), path: Path{Field: "live"}}, nil
		}
		path, err := l.path("facts."+arg, start)
		if err != nil {
			path = factPath(strings.Split(arg, ".")...)
		}
		switch output {
		case "value":
			return operand{path: path}, nil
		case "exists":
			return operand{yes: existsExpr(path, start, end)}, nil
		}
		return bad()
	case "collective":
		if output != "member" {
			return bad()
		}
		return operand{yes: &Compare{Path: Path{Field: "collectives"}, Op: "=", Value: textValue(arg), Quant: "any", View: "text", Start: start, End: end}}, nil
	}
	if output == "" || !plainName(output) {
		return bad()
	}
	if !l.Live {
		return operand{}, l.fail(start, end-1, name+"() can only be asked of a live node, not of what the registry keeps", "a fact, or a command that asks the nodes, with --live")
	}
	return operand{path: Path{Field: "live", Steps: []Step{nameStep(name), nameStep(arg), nameStep(output)}}}, nil
}

// truth lowers the comparison of a function that answers true or false.
func (l *lowerer) truth(o operand, op string, v Value, start, end int) (Expr, error) {
	if o.path.Field == "live" { // a function that never applies
		return o.yes, nil
	}
	if v.Kind != "bool" && v.Text != "true" && v.Text != "false" {
		return nil, l.fail(start, end, "this function answers true or false", "= true or = false")
	}
	switch {
	case op == "<" || op == ">" || op == "<=" || op == ">=":
		if !l.strict {
			return nil, l.fail(start, end, "true and false have no order", "= or !=")
		}
		l.warnings = append(l.warnings, "true and false have no order: the comparison is always false")
		return not(All{}), nil
	case (op == "=") == (v.Text == "true"):
		return o.yes, nil
	}
	return not(o.yes), nil
}
