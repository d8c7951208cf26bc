package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// cursor goes through a text of JSON, several times as fast as the library
// does. What it finds wrong, the library is asked to explain: see wrong.
type cursor struct {
	b  []byte
	s  string // the same
	at int
}

// peek goes to the next token and returns its first byte; 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.b); c.at++ {
		switch b := c.b[c.at]; b {
		case ' ', '\n', '\r', '\t':
		default:
			return b
		}
	}
	return 0
}

// key reads a key and its colon.
func (c *cursor) key() (string, bool) {
	if c.peek() != '"' {
		return "", false
	}
	key, ok := c.str()
	if !ok || c.peek() != ':' {
		return "", false
	}
	c.at++
	return key, true
}

// more reads what stands between two elements, or ends them.
func (c *cursor) more(end byte) (more, ok bool) {
	b := c.peek()
	c.at++
	return b == ',', b == ',' || b == end
}

// str reads a text, of which the first quote comes next.
func (c *cursor) str() (string, bool) {
	start := c.at + 1
	for i := start; i < len(c.b); i++ {
		switch b := c.b[i]; {
		case b == '"':
			c.at = i + 1
			return c.s[start:i], true
		case b == '\\' || b < ' ' || b >= utf8.RuneSelf:
			return c.hardText(start, i)
		}
	}
	return "", false
}

// hardText reads a text that begins at start and has something beyond plain
// letters at i.
func (c *cursor) hardText(start, i int) (string, bool) {
	escapes := false
	for ; i < len(c.b); i++ {
		switch b := c.b[i]; {
		case b == '\\':
			escapes = true
			i++
		case b < ' ':
			return "", false
		case b == '"' && !escapes:
			c.at = i + 1
			return c.s[start:i], utf8.ValidString(c.s[start:i])
		case b == '"':
			c.at = i + 1
			plain, err := jsontext.AppendUnquote(nil, c.b[start-1:i+1])
			return string(plain), err == nil
		}
	}
	return "", false
}

// word reads true, false or null.
func (c *cursor) word() (any, bool) {
	rest := c.s[c.at:]
	for _, w := range []struct {
		text string
		is   any
	}{{"null", nil}, {"true", true}, {"false", false}} {
		if strings.HasPrefix(rest, w.text) {
			c.at += len(w.text)
			return w.is, true
		}
	}
	return nil, false
}

// numeral reads what looks like a number.
func (c *cursor) numeral() string {
	start := c.at
	for c.at < len(c.b) && strings.IndexByte("0123456789.+-eE", c.b[c.at]) >= 0 {
		c.at++
	}
	return c.s[start:c.at]
}

// short reads a short integer, if one comes next.
func (c *cursor) short() (int64, bool) {
	start := c.at
	n, ok := shortInteger(c.numeral())
	if !ok {
		c.at = start
	}
	return n, ok
}

// number reads a number.
func (c *cursor) number() (any, bool) {
	text := c.numeral()
	if n, ok := shortInteger(text); ok {
		return n, true
	}
	if v := jsontext.Value(text); v.Kind() != '0' || !v.IsValid() {
		return nil, false
	}
	return number(strings.Clone(text)), true
}

// shortInteger reads what most numbers are.
func shortInteger(text string) (n int64, ok bool) {
	if text == "" || len(text) > 18 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(text[i]-'0')
	}
	return n, true
}

// over reads over a value, however deep, and reports whether it is one.
func (c *cursor) over() bool {
	var open []byte // what is to be closed
	for {
		ok, opened := true, false
		switch b := c.peek(); b {
		case '{', '[':
			if len(open) == maxNesting {
				return false
			}
			c.at++
			if b+2 == c.peek() { // } and ] are two beyond { and [
				c.at++
			} else {
				open, opened = append(open, b), true
			}
		case '"':
			_, ok = c.str()
		case 't', 'f', 'n':
			_, ok = c.word()
		default:
			_, ok = c.number()
		}
		for ok && !opened && len(open) > 0 {
			more, fits := c.more(open[len(open)-1] + 2)
			if ok = fits; more || !fits {
				break
			}
			open = open[:len(open)-1]
		}
		if !ok || len(open) == 0 {
			return ok
		}
		if open[len(open)-1] == '{' {
			if _, ok := c.key(); !ok {
				return false
			}
		}
	}
}

// skim reads over a value that need not be looked at: of a text that was read
// before, or that whoever compares it with one that was. It is true of some that
// are no values, never of one whose end is elsewhere.
func (c *cursor) skim() bool {
	depth := 0
	for c.peek(); c.at < len(c.b); {
		switch b := c.b[c.at]; b {
		case '"':
			if !c.skimText() {
				return false
			}
		case '{', '[':
			depth++
			c.at++
			continue
		case '}', ']':
			if depth == 0 {
				return false
			}
			depth--
			c.at++
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return false
			}
			c.at++
			continue
		default:
			for c.at < len(c.b) && !endsWord[c.b[c.at]] {
				c.at++
			}
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// endsWord has the bytes that a number, true, false or null ends before.
var endsWord = [256]bool{',': true, ':': true, ' ': true, '\n': true, '\r': true, '\t': true, '}': true, ']': true, '{': true, '[': true, '"': true}

func (c *cursor) skimText() bool {
	for i := c.at + 1; ; {
		n := bytes.IndexByte(c.b[i:], '"')
		if n < 0 {
			return false
		}
		end := i + n
		back := end
		for back > i && c.b[back-1] == '\\' {
			back--
		}
		i = end + 1
		if (end-back)%2 == 0 {
			c.at = i
			return true
		}
	}
}

// maxNesting is how deep the library goes.
const maxNesting = 10_000

// fault is bad JSON; its text is for a person.
type fault struct {
	reason string // one of the Reason constants
	text   string
}

func (f *fault) Error() string { return f.text }

func malformed(format string, args ...any) error {
	return &fault{ReasonMalformed, fmt.Sprintf(format, args...)}
}

// wrong says in our words what the JSON library finds.
func (c *cursor) wrong() error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(c.b))
	var err error
	for err == nil {
		_, err = dec.ReadToken()
	}
	offset, where := dec.InputOffset(), ""
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, where = s.ByteOffset, string(s.JSONPointer)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &fault{ReasonDuplicate, fmt.Sprintf("byte %d: the key %s is there twice", offset, quoted(where))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("byte %d: the text ends too soon", offset)
	}
	return malformed("byte %d: not JSON in UTF-8, or nested beyond all measure", offset)
}

// place names the value that was read last.
func (c *cursor) place() string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(c.b))
	for dec.InputOffset() < int64(c.at) {
		if _, err := dec.ReadToken(); err != nil {
			break
		}
	}
	return quoted(string(dec.StackPointer()))
}
