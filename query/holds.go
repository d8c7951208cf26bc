package query

import (
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// among reports whether v is one of the members of a list, or of a network.
func (c *Compare) among(v any) bool {
	if c.Value.Kind != "list" {
		return c.is(v, &c.Value)
	}
	if text, ok := v.(string); ok && c.Value.set != nil && c.View == "host" {
		_, found := c.Value.set[strings.ToLower(text)]
		return found
	}
	for i := range c.Value.List {
		if c.is(v, &c.Value.List[i]) {
			return true
		}
	}
	return false
}

// is reports whether v is x: equal to it, matched by it or inside of it.
func (c *Compare) is(v any, x *Value) bool {
	switch x.Kind {
	case "regex":
		return c.matched(v, x)
	case "glob":
		text, ok := c.textOf(v)
		if c.View == "class" {
			text = strings.TrimPrefix(text, "::")
		}
		return ok && glob(text, x.Text, c.Fold || c.View == "host" || c.View == "class")
	case "network":
		return within(v, x.Network)
	case "null":
		return v == nil
	case "list":
		return c.sameList(v, x.List)
	case "object":
		return c.sameObject(v, x.Object)
	case "time":
		t, ok := timeOf(v, c.Path.Field == "seen")
		return ok && t.Equal(x.Time)
	case "age":
		return false
	}
	return c.equal(v, x)
}

// equal compares scalars in the comparison's view.
func (c *Compare) equal(v any, x *Value) bool {
	switch c.View {
	case "class":
		name, ok := v.(string)
		return ok && strings.EqualFold(strings.TrimPrefix(name, "::"), x.Text)
	case "title":
		name, ok := v.(string)
		return ok && isTitle(strings.TrimPrefix(name, "::"), x.Text)
	case "host":
		name, ok := v.(string)
		return ok && strings.EqualFold(name, x.Text)
	case "typed":
		return equalTyped(v, x)
	case "version":
		text, ok := v.(string)
		return ok && looksLikeVersion(text) && compareVersions(text, x.Text) == 0
	case "text":
		return c.equalText(v, x.Text)
	}
	if x.number.ok {
		if order, ok := compareNumber(v, &x.number, true); ok {
			return order == 0
		}
	}
	return c.equalText(v, x.Text)
}

// equalTyped compares as PuppetDB does: numbers with numbers, text with text.
func equalTyped(v any, x *Value) bool {
	switch v := v.(type) {
	case string:
		return x.Kind == "text" && v == x.Text
	case bool:
		return x.Kind == "bool" && v == x.bool
	case int64, float64, json.Number:
		if x.Kind != "number" {
			return false
		}
		order, ok := compareNumber(v, &x.number, false)
		return ok && order == 0
	}
	return false
}

// equalText compares v's text with want.
func (c *Compare) equalText(v any, want string) bool {
	var space [32]byte
	switch v := v.(type) {
	case string:
		return v == want || c.Fold && strings.EqualFold(v, want)
	case int64:
		return string(strconv.AppendInt(space[:0], v, 10)) == want
	case float64:
		return string(appendFloat(space[:0], v)) == want
	}
	text, ok := c.textOf(v)
	return ok && (text == want || c.Fold && strings.EqualFold(text, want))
}

// textOf is v as text; a list or a map has none, and outside the text view
// neither has null.
func (c *Compare) textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), c.View != "mongo"
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return string(appendFloat(nil, v)), true
	case json.Number:
		return string(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	case nil:
		return "", c.View == "text"
	}
	return "", false
}

// appendFloat writes a number as the ancestor's nodes did: 4.0, 0.5, 1.0e+20.
func appendFloat(b []byte, f float64) []byte {
	format, size := byte('f'), math.Abs(f)
	if size != 0 && (size < 1e-4 || size >= 1e16) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, 64)
	for i := start; i < len(b); i++ {
		switch b[i] {
		case '.':
			return b
		case 'e':
			tail := string(b[i:])
			return append(append(b[:i], '.', '0'), tail...)
		}
	}
	return append(b, '.', '0')
}

// matched searches v's text, no further than maxValue. A class is searched in
// its original and in its normalised spelling.
func (c *Compare) matched(v any, x *Value) bool {
	text, ok := c.textOf(v)
	if !ok || x.Regexp == nil {
		return false
	}
	if c.View == "title" {
		return x.Regexp.MatchString(title(text))
	}
	if x.Regexp.MatchString(text[:min(len(text), maxValue)]) {
		return true
	}
	if c.View != "class" {
		return false
	}
	normal := strings.ToLower(strings.TrimPrefix(text, "::"))
	return normal != text && x.Regexp.MatchString(normal[:min(len(normal), maxValue)])
}

// order compares v with x; ok is false where the two have no order.
func (c *Compare) order(v any, x *Value, s *scope) (order int, ok bool) {
	switch x.Kind {
	case "age":
		return orderAge(v, x.Age, c.Path.Field == "seen", s.now)
	case "time":
		t, ok := timeOf(v, c.Path.Field == "seen")
		return t.Compare(x.Time), ok
	case "text", "number":
	default:
		return 0, false
	}
	switch c.View {
	case "typed":
		text, isText := v.(string)
		if x.Kind == "text" {
			return strings.Compare(text, x.Text), isText
		}
		return compareNumber(v, &x.number, false)
	case "version":
		text, ok := c.textOf(v)
		if !ok || !looksLikeVersion(text) {
			return 0, false
		}
		return compareVersions(text, x.Text), true
	}
	return c.orderNative(v, x)
}

// orderNative compares numbers where both sides are, dotted numbers of three
// or more parts part by part, and else text by bytes. Text and a number have no
// order, except where all is text.
func (c *Compare) orderNative(v any, x *Value) (order int, ok bool) {
	if x.number.ok {
		order, ok := compareNumber(v, &x.number, true)
		if ok || c.View != "text" {
			return order, ok
		}
	}
	text, isText := v.(string)
	switch {
	case isText && dotted(text) && dotted(x.Text):
		return compareVersions(text, x.Text), true
	case c.View == "text":
		text, isText = c.textOf(v)
	case isText && parseDecimal(text).ok:
		return 0, false
	}
	return strings.Compare(text, x.Text), isText
}

// timeOf reads v as an instant: a date, or text that is one. Never having been
// seen is before every date.
func timeOf(v any, seen bool) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, seen || !v.IsZero()
	case string:
		return parseTime(v)
	}
	return time.Time{}, false
}

// orderAge compares the age of v with age. What was never seen is older than
// anything.
func orderAge(v any, age time.Duration, seen bool, now time.Time) (order int, ok bool) {
	t, ok := timeOf(v, seen)
	switch {
	case !ok:
		return 0, false
	case t.IsZero():
		return 1, true
	}
	// now-age before t means younger.
	return t.Compare(now.Add(-age)) * -1, true
}

// within reports whether v is an address, with or without a mask, in network.
func within(v any, network netip.Prefix) bool {
	text, ok := v.(string)
	if !ok || !strings.ContainsAny(text, ".:") {
		return false
	}
	text, _, _ = strings.Cut(text, "/")
	addr, err := netip.ParseAddr(text)
	return err == nil && network.Contains(addr.Unmap().WithZone(""))
}

func (c *Compare) sameList(v any, want []Value) bool {
	have, ok := v.([]any)
	if !ok {
		return false
	}
	if c.View == "typed" { // PuppetDB: the list contains each of them, in any order
		for i := range want {
			found := false
			for _, el := range have {
				found = found || c.is(el, &want[i])
			}
			if !found {
				return false
			}
		}
		return true
	}
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		if !c.is(have[i], &want[i]) {
			return false
		}
	}
	return true
}

func (c *Compare) sameObject(v any, want map[string]Value) bool {
	have, ok := v.(map[string]any)
	if !ok || c.View != "typed" && len(have) != len(want) {
		return false
	}
	for key, x := range want {
		el, ok := have[key]
		if !ok || !c.is(el, &x) {
			return false
		}
	}
	return true
}

// glob reports whether text is like pattern, where * stands for any text and ?
// for one character.
func glob(text, pattern string, fold bool) bool {
	if fold {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	star, resume := -1, 0
	t, p := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && pattern[p] == '?':
			t += runeLength(text[t:])
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			t++
			p++
		case star >= 0:
			resume += runeLength(text[resume:])
			t, p = resume, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func runeLength(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}
