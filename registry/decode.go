package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads JSON strictly: UTF-8, no key twice in an object, one value.
type reader struct {
	dec *jsontext.Decoder
}

func newReader(body []byte) reader {
	return reader{jsontext.NewDecoder(bytes.NewBuffer(body))}
}

// fault is bad JSON; its text is for a person.
type fault struct {
	reason string // one of the Reason constants
	text   string
}

func (f *fault) Error() string { return f.text }

func malformed(format string, args ...any) error {
	return &fault{ReasonMalformed, fmt.Sprintf(format, args...)}
}

// object reads an object and calls field for each key, which must read the
// value.
func (r reader) object(what string, field func(key string) error) error {
	if kind := r.dec.PeekKind(); kind != '{' {
		return r.unexpected(kind, what, "an object")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.wrong(err)
	}
	for {
		token, err := r.dec.ReadToken()
		if err != nil {
			return r.wrong(err)
		}
		if token.Kind() == '}' {
			return nil
		}
		key := token.String()
		if strings.IndexByte(key, 0) >= 0 {
			return malformed("the key %s holds a NUL", quoted(key))
		}
		if err := field(key); err != nil {
			return err
		}
	}
}

// array reads a list and calls element before each element, which must read it.
func (r reader) array(what string, element func() error) error {
	if kind := r.dec.PeekKind(); kind != '[' {
		return r.unexpected(kind, what, "a list")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.wrong(err)
	}
	for r.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return r.wrong(err)
}

// value reads any value. Objects and lists that lie deeper than left come out
// empty, so that hostile nesting costs no stack: [Normalize] drops them.
func (r reader) value(left int) (any, error) {
	switch r.dec.PeekKind() {
	case '{':
		if left == 0 {
			return map[string]any{}, r.skip()
		}
		m := map[string]any{}
		err := r.object("", func(key string) (err error) {
			m[key], err = r.value(left - 1)
			return err
		})
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

func (r reader) scalar() (any, error) {
	if r.dec.PeekKind() == '0' {
		raw, err := r.dec.ReadValue()
		if err != nil {
			return nil, r.wrong(err)
		}
		return number(string(raw)), nil
	}
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, r.wrong(err)
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	default:
		s := token.String()
		if strings.IndexByte(s, 0) >= 0 {
			return nil, malformed("the value of %s holds a NUL", r.place())
		}
		return s, nil
	}
}

// text reads a string; null counts as none.
func (r reader) text(what string) (string, error) {
	kind := r.dec.PeekKind()
	if kind != '"' && kind != 'n' {
		return "", r.unexpected(kind, what, "a text")
	}
	v, err := r.scalar()
	s, _ := v.(string)
	return s, err
}

// texts reads a list of strings; null counts as none.
func (r reader) texts(what string) ([]string, error) {
	if r.dec.PeekKind() == 'n' {
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
	_, err := r.dec.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return malformed("byte %d: more follows after the end", r.dec.InputOffset())
}

func (r reader) skip() error { return r.wrong(r.dec.SkipValue()) }

// place names the value that was read last.
func (r reader) place() string { return quoted(string(r.dec.StackPointer())) }

func (r reader) unexpected(kind jsontext.Kind, what, want string) error {
	if kind == 0 { // the next token is a mistake, or there is none
		_, err := r.dec.ReadToken()
		return r.wrong(err)
	}
	return malformed("%s must be %s", what, want)
}

// wrong says in our words what the JSON library found.
func (r reader) wrong(err error) error {
	if err == nil {
		return nil
	}
	offset, where := r.dec.InputOffset(), ""
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = s.ByteOffset
		where = string(s.JSONPointer)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &fault{ReasonDuplicate, fmt.Sprintf("byte %d: the key %s is there twice", offset, quoted(where))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("byte %d: the text ends too soon", offset)
	}
	return malformed("byte %d: not JSON in UTF-8, or nested beyond all measure", offset)
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
