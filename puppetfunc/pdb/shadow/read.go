package shadow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The questions whose answers [ReadNodes] reads, as PQL.
const (
	AskInventory = "inventory[certname, facts] { }"
	AskClasses   = `resources[certname, title] { type = "Class" }`
)

// ReadNodes reads the answers to [AskInventory] and [AskClasses], by certname in
// lower case.
func ReadNodes(inventory, classes []byte) (map[string]*Node, error) {
	var rows []struct {
		Certname string
		Facts    map[string]any
	}
	if err := decode(inventory, &rows); err != nil {
		return nil, fmt.Errorf("the inventory is not what a PuppetDB answers: %w", err)
	}
	nodes := make(map[string]*Node, len(rows))
	for _, row := range rows {
		facts, _ := exactly(row.Facts).(map[string]any)
		nodes[strings.ToLower(row.Certname)] = &Node{Certname: row.Certname, Facts: facts}
	}
	var titles []struct{ Certname, Title string }
	if err := decode(classes, &titles); err != nil {
		return nil, fmt.Errorf("the classes are not what a PuppetDB answers: %w", err)
	}
	for _, row := range titles {
		n := nodes[strings.ToLower(row.Certname)]
		if n != nil && !slices.Contains(everyNodes, row.Title) {
			n.Classes = append(n.Classes, row.Title)
		}
	}
	for _, n := range nodes {
		slices.Sort(n.Classes)
	}
	return nodes, nil
}

// ReadNames reads an answer of objects that have a certname each.
func ReadNames(answer []byte) ([]string, error) {
	var rows []struct{ Certname string }
	if err := decode(answer, &rows); err != nil {
		return nil, fmt.Errorf("the answer is not a list of certnames: %w", err)
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Certname
	}
	return names, nil
}

func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// exactly turns numbers into those that queries compare.
func exactly(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = exactly(e)
		}
	case []any:
		for i, e := range v {
			v[i] = exactly(e)
		}
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == strings.TrimSuffix(string(v), ".0") {
			return f
		}
	}
	return v
}
