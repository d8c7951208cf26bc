package query

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Value is the right side of a comparison with what its evaluation needs
// worked out beforehand.
type Value struct {
	// Kind is "text", "number", "bool", "null", "regex", "glob", "network",
	// "age", "time", "list" or "object"; empty where a comparison needs no value.
	Kind string

	Text    string // as text: the number's digits, "true", the pattern without delimiters
	Flags   string // of a regex: those of i, m, s and x that were given
	Regexp  *regexp.Regexp
	Network netip.Prefix
	Age     time.Duration
	Time    time.Time
	List    []Value          // members of a list, in order
	Object  map[string]Value // fields of an object

	number decimal // what Text says if it is decimal text
	bool   bool
	set    map[string]struct{} // the members of a long list of text, lower-cased
}

func textValue(s string) Value {
	v := Value{Kind: "text", Text: s}
	v.number = parseDecimal(s)
	return v
}

func numberValue(s string) Value {
	v := textValue(s)
	v.Kind = "number"
	return v
}

func boolValue(b bool) Value {
	return Value{Kind: "bool", Text: strconv.FormatBool(b), bool: b}
}

func nullValue() Value { return Value{Kind: "null"} }

func globValue(s string) Value { return Value{Kind: "glob", Text: s} }

func ageValue(d time.Duration) Value {
	return Value{Kind: "age", Text: formatAge(d), Age: d}
}

func timeValue(t time.Time) Value {
	t = t.UTC()
	return Value{Kind: "time", Text: t.Format(time.RFC3339Nano), Time: t}
}

func networkValue(p netip.Prefix) Value {
	p = p.Masked()
	return Value{Kind: "network", Text: p.String(), Network: p}
}

// longList is from where a list of text is kept as a set too.
const longList = 8

func listValue(members []Value) Value {
	v := Value{Kind: "list", List: members}
	if len(members) < longList {
		return v
	}
	set := make(map[string]struct{}, len(members))
	for _, m := range members {
		if m.Kind != "text" {
			return v
		}
		set[strings.ToLower(m.Text)] = struct{}{}
	}
	v.set = set
	return v
}

// valueOf is the value that a caller binds to a parameter. It is never parsed:
// text stays text, whatever it looks like.
func valueOf(bound any) (Value, error) {
	switch b := bound.(type) {
	case nil:
		return nullValue(), nil
	case string:
		return textValue(b), nil
	case bool:
		return boolValue(b), nil
	case int:
		return numberValue(strconv.Itoa(b)), nil
	case int64:
		return numberValue(strconv.FormatInt(b, 10)), nil
	case float64:
		text := strconv.FormatFloat(b, 'g', -1, 64)
		if !parseDecimal(text).ok {
			return Value{}, fmt.Errorf("%s is not a number that a fact can have", text)
		}
		return numberValue(text), nil
	case json.Number:
		if !parseDecimal(b.String()).ok {
			return Value{}, fmt.Errorf("%q is not a number", b)
		}
		return numberValue(b.String()), nil
	case time.Time:
		return timeValue(b), nil
	case time.Duration:
		return ageValue(b), nil
	case []string:
		members := make([]Value, len(b))
		for i, s := range b {
			members[i] = textValue(s)
		}
		return listValue(members), nil
	case []any:
		members := make([]Value, len(b))
		for i, m := range b {
			v, err := valueOf(m)
			if err != nil {
				return Value{}, err
			}
			members[i] = v
		}
		return listValue(members), nil
	case map[string]any:
		fields := make(map[string]Value, len(b))
		for k, m := range b {
			v, err := valueOf(m)
			if err != nil {
				return Value{}, err
			}
			fields[k] = v
		}
		return Value{Kind: "object", Object: fields}, nil
	}
	return Value{}, fmt.Errorf("a parameter can not hold a %T", bound)
}

// listOf is the list of what documents hold; what can not be compared is left out.
func listOf(held []any) Value {
	members := make([]Value, 0, len(held))
	for _, h := range held {
		if v, err := valueOf(h); err == nil {
			members = append(members, v)
		}
	}
	return listValue(members)
}

// parseAge reads an age such as 90s, 2h or 1d12h.
func parseAge(s string) (time.Duration, bool) {
	var total time.Duration
	for rest := s; rest != ""; {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) || digits > 9 {
			return 0, false
		}
		n, _ := strconv.Atoi(rest[:digits])
		unit, ok := ageUnits[rest[digits]]
		if !ok {
			return 0, false
		}
		part := time.Duration(n) * unit
		if n != 0 && part/unit != time.Duration(n) || total+part < total {
			return 0, false
		}
		total += part
		rest = rest[digits+1:]
	}
	return total, s != ""
}

var ageUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// formatAge writes an age as parseAge reads it. Parts of a second are dropped:
// no query can name them.
func formatAge(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var b strings.Builder
	for _, u := range "dhms" {
		unit := ageUnits[byte(u)]
		if n := d / unit; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, u)
			d -= n * unit
		}
	}
	return b.String()
}

// parseTime reads a date as queries write it; without a zone it is UTC.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	if inner, ok := strings.CutPrefix(s, "epoch("); ok {
		if n, err := strconv.ParseInt(strings.TrimSuffix(inner, ")"), 10, 64); err == nil && strings.HasSuffix(inner, ")") {
			return time.Unix(n, 0).UTC(), true
		}
	}
	return time.Time{}, false
}
