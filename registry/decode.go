package registry

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads JSON strictly: UTF-8, no key twice in an object, one value.
type reader struct{ *cursor }

func newReader(body []byte) reader {
	return reader{&cursor{b: body, s: string(body)}}
}

// object reads an object and calls field for each key, which must read the
// value.
func (r reader) object(what string, field func(key string) error) error {
	var seen names
	return r.fields(what, func(key string) error {
		if seen.again(key) {
			return r.wrong()
		}
		return field(key)
	})
}

// fields is object, but for that field sees to keys that are there twice.
func (r reader) fields(what string, field func(key string) error) error {
	if c := r.peek(); c != '{' {
		return r.unexpected(c, what, "an object")
	}
	r.at++
	if r.peek() == '}' {
		r.at++
		return nil
	}
	for {
		key, ok := r.key()
		if !ok {
			return r.wrong()
		}
		if strings.IndexByte(key, 0) >= 0 {
			return malformed("the key %s holds a NUL", quoted(key))
		}
		if err := field(key); err != nil {
			return err
		}
		if more, ok := r.more('}'); !ok {
			return r.wrong()
		} else if !more {
			return nil
		}
	}
}

// names are the keys of an object.
type names struct {
	few  []string
	many map[string]bool
}

// again notes a key, and reports whether it was there.
func (n *names) again(key string) bool {
	const some = 32
	if n.many == nil {
		if slices.Contains(n.few, key) {
			return true
		}
		if n.few = append(n.few, key); len(n.few) < some {
			return false
		}
		n.many = map[string]bool{}
		for _, k := range n.few {
			n.many[k] = true
		}
		return false
	}
	was := n.many[key]
	n.many[key] = true
	return was
}

// array reads a list and calls element before each element, which must read it.
func (r reader) array(what string, element func() error) error {
	if c := r.peek(); c != '[' {
		return r.unexpected(c, what, "a list")
	}
	r.at++
	if r.peek() == ']' {
		r.at++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if more, ok := r.more(']'); !ok {
			return r.wrong()
		} else if !more {
			return nil
		}
	}
}

// value reads any value. Objects and lists that lie deeper than left come out
// empty, so that hostile nesting costs no stack: [Normalize] drops them. The
// texts in it are parts of one that is as long as the whole.
func (r reader) value(left int) (any, error) {
	switch r.peek() {
	case '{':
		if left == 0 {
			return map[string]any{}, r.skip()
		}
		m, err := r.members("", left)
		return dated(m), err
	case '[':
		if left == 0 {
			return []any{}, r.skip()
		}
		list := []any{}
		err := r.array("", func() error {
			v, err := r.value(left - 1)
			list = append(list, v)
			return err
		})
		return list, err
	default:
		return r.scalar()
	}
}

// members reads an object of values.
func (r reader) members(what string, left int) (map[string]any, error) {
	m := map[string]any{}
	err := r.fields(what, func(key string) error {
		v, err := r.value(left - 1)
		if err != nil {
			return err
		}
		before := len(m)
		if m[key] = v; len(m) == before {
			return r.wrong()
		}
		return nil
	})
	return m, err
}

func (r reader) scalar() (any, error) {
	switch c := r.peek(); c {
	case '"':
		s, ok := r.str()
		if !ok {
			return nil, r.wrong()
		}
		if strings.IndexByte(s, 0) >= 0 {
			return nil, malformed("the value of %s holds a NUL", r.place())
		}
		return s, nil
	case 't', 'f', 'n':
		v, ok := r.word()
		if !ok {
			return nil, r.wrong()
		}
		return v, nil
	default:
		v, ok := r.number()
		if !ok {
			return nil, r.wrong()
		}
		return v, nil
	}
}

// text reads a string; null counts as none.
func (r reader) text(what string) (string, error) {
	if c := r.peek(); c != '"' && c != 'n' {
		return "", r.unexpected(c, what, "a text")
	}
	v, err := r.scalar()
	s, _ := v.(string)
	return strings.Clone(s), err // it may be kept for longer than the rest
}

// texts reads a list of strings; null counts as none.
func (r reader) texts(what string) ([]string, error) {
	if r.peek() == 'n' {
		return nil, r.skip()
	}
	list := []string{}
	err := r.array(what, func() error {
		s, err := r.text("each of " + what)
		list = append(list, s)
		return err
	})
	return list, err
}

// end makes sure that nothing follows.
func (r reader) end() error {
	if r.peek(); r.at == len(r.b) {
		return nil
	}
	return malformed("byte %d: more follows after the end", r.at)
}

// skip reads over a value.
func (r reader) skip() error {
	if !r.over() {
		return r.wrong()
	}
	return nil
}

func (r reader) unexpected(c byte, what, want string) error {
	if strings.IndexByte(`{["tfn-0123456789`, c) < 0 { // a mistake, or the end
		return r.wrong()
	}
	return malformed("%s must be %s", what, want)
}

// Longer numbers, or numbers with larger exponents, are no measurements: they
// would only cost whoever compares them exactly.
const (
	maxDigits   = 400
	maxExponent = 9999
)

// isNumber reports whether text is a JSON number within the limits.
func isNumber(text string) bool {
	v := jsontext.Value(text)
	if len(text) > maxDigits || v.Kind() != '0' || !v.IsValid() {
		return false
	}
	_, exp, ok := scientific(text)
	return ok && -maxExponent <= exp && exp <= maxExponent
}

// number keeps a number exactly: as int64, else as float64, else as json.Number.
// One beyond the limits is kept as a text.
func number(text string) any {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
			return n
		}
	}
	if !isNumber(text) {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !sameNumber(text, strconv.FormatFloat(f, 'e', -1, 64)) {
		return json.Number(text)
	}
	return f
}

// sameNumber compares two decimal numbers exactly, whatever their size.
func sameNumber(a, b string) bool {
	aDigits, aExp, _ := scientific(a)
	bDigits, bExp, _ := scientific(b)
	return aDigits == bDigits && aExp == bExp
}

// scientific brings a decimal number to 0.DIGITS * 10^exp, without zeros at
// either end of DIGITS; zero has no digits. Signs are left out. It fails where
// the exponent is beyond all measure.
func scientific(s string) (digits string, exp int64, ok bool) {
	s = strings.TrimPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.ParseInt(s[i+1:], 10, 32)
		if err != nil {
			return "", 0, false
		}
		s, exp = s[:i], e
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exp += int64(len(digits) - len(fraction))
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "", 0, true
	}
	return digits, exp, true
}

// dated turns {"$date": …} into a time, as MongoDB's extended JSON writes it:
// RFC 3339 text, or milliseconds since 1970. Anything else stays an object.
func dated(m map[string]any) any {
	v, ok := m["$date"]
	if !ok || len(m) != 1 {
		return m
	}
	if long, ok := v.(map[string]any); ok && len(long) == 1 {
		if text, ok := long["$numberLong"].(string); ok {
			v = number(text)
		}
	}
	switch v := v.(type) {
	case int64:
		return time.UnixMilli(v).UTC()
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
	return m
}
