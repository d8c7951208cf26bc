package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is read as Ruby reads it, which is YAML 1.1 with habits of its own: yes
// is true, 010 is 8, 1:30 is 5400, 1e3 is text. Dates stay text, as Facter
// prints them, and tags of Ruby's own are ignored.

const (
	maxYAMLDepth  = 64
	maxYAMLValues = 50_000 // after aliases are followed
)

// parseYAML reads one YAML document that is a mapping; an empty document has
// no facts.
func parseYAML(text []byte) (map[string]any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if doc.Kind == 0 {
		return map[string]any{}, nil
	}
	r := &yamlReader{left: maxYAMLValues}
	v, err := r.value(&doc, 0)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case nil:
		return map[string]any{}, nil
	default:
		return nil, errors.New("is YAML, but not a mapping of facts")
	}
}

// yamlReader turns nodes into values and counts them, because aliases can make
// a small file large.
type yamlReader struct{ left int }

func (r *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	r.left--
	if r.left < 0 {
		return nil, fmt.Errorf("has more than %d values, aliases included", maxYAMLValues)
	}
	if depth > maxYAMLDepth {
		return nil, fmt.Errorf("is nested deeper than %d (line %d)", maxYAMLDepth, n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(n.Content[0], depth)
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := r.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.mapping(n, depth)
	default:
		return scalar(n), nil
	}
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (any, error) {
	own, merged := map[string]any{}, map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, err := r.value(n.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		v, err := r.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if n.Content[i].Tag == "!!merge" {
			merge(merged, v)
			continue
		}
		own[keyText(k)] = v
	}
	maps.Copy(merged, own)
	return merged, nil
}

// merge adds what << names: a mapping, or a list of which the first wins.
func merge(into map[string]any, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if _, have := into[k]; !have {
				into[k] = e
			}
		}
	case []any:
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				merge(into, m)
			}
		}
	}
}

// keyText is a key as Ruby's JSON writes it.
func keyText(k any) string {
	switch k := k.(type) {
	case nil:
		return ""
	case string:
		return k
	default:
		text, err := json.Marshal(k)
		if err != nil {
			return fmt.Sprint(k)
		}
		return string(text)
	}
}

var (
	reTrue  = regexp.MustCompile(`(?i)^(yes|true|on)$`)
	reFalse = regexp.MustCompile(`(?i)^(no|false|off)$`)
	reNull  = regexp.MustCompile(`(?i)^(~|null|)$`)
	reInt   = regexp.MustCompile(`^[-+]?(0b[01_,]+|0[0-7_,]+|0|[1-9](?:[0-9]|,[0-9]|_[0-9])*|0x[0-9a-fA-F_,]+)$`)
	reFloat = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?$`)
	reSixty = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}(?:\.[0-9_]*)?$`)
	reInf   = regexp.MustCompile(`(?i)^([-+]?)\.inf$`)
	reNaN   = regexp.MustCompile(`(?i)^\.nan$`)
)

// scalar reads one scalar. Only a plain one, or one with a tag that asks for
// it, is anything but text.
func scalar(n *yaml.Node) any {
	text := n.Value
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	tagged := n.Style&yaml.TaggedStyle != 0
	if tagged && n.Tag != "!!int" && n.Tag != "!!float" && n.Tag != "!!bool" && n.Tag != "!!null" {
		return text
	}
	if n.Style&quoted != 0 && !tagged {
		return text
	}
	v := plain(text)
	if number, ok := v.(json.Number); ok && n.Tag == "!!float" && tagged && !strings.ContainsAny(string(number), ".eE") {
		return number + ".0"
	}
	return v
}

func plain(text string) any {
	switch {
	case reNull.MatchString(text):
		return nil
	case reTrue.MatchString(text):
		return true
	case reFalse.MatchString(text):
		return false
	case reInt.MatchString(text):
		return integer(text)
	case strings.ContainsAny(text, "0123456789") && reFloat.MatchString(text):
		return float(text)
	case reSixty.MatchString(text):
		return sixty(text)
	case reNaN.MatchString(text):
		return "NaN" // JSON has no number for these
	case reInf.MatchString(text):
		return strings.TrimPrefix(reInf.FindStringSubmatch(text)[1], "+") + "Infinity"
	default:
		return text
	}
}

func digits(text string) string { return strings.NewReplacer("_", "", ",", "").Replace(text) }

func integer(text string) any {
	d := digits(text)
	sign := ""
	if d[0] == '-' || d[0] == '+' {
		sign, d = strings.TrimPrefix(d[:1], "+"), d[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(d, "0x"):
		base, d = 16, d[2:]
	case strings.HasPrefix(d, "0b"):
		base, d = 2, d[2:]
	case strings.HasPrefix(d, "0"):
		base = 8
	}
	n, ok := new(big.Int).SetString(sign+d, base)
	if !ok {
		return text // only separators were left
	}
	return json.Number(n.String())
}

func float(text string) any {
	f, err := strconv.ParseFloat(digits(text), 64)
	if err != nil {
		return text
	}
	return floatNumber(f)
}

// floatNumber writes a float so that it stays one: 1.0, not 1.
func floatNumber(f float64) json.Number {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eE") {
		s += ".0"
	}
	return json.Number(s)
}

// sixty reads base 60, as clocks have it: the first part counts 3600, each
// further one a sixtieth of that. A sign belongs to the first part only, as in Ruby.
func sixty(text string) any {
	total, unit := 0.0, 3600.0
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "_", ""), ":") {
		f, err := strconv.ParseFloat(strings.TrimSuffix(part, "."), 64)
		if err != nil {
			return text
		}
		total += f * unit
		unit /= 60
	}
	if strings.Contains(text, ".") {
		return floatNumber(total)
	}
	return json.Number(strconv.FormatFloat(total, 'f', -1, 64))
}
