package registry

import (
	"errors"
)

// Strict reads a JSON text that speaks of nodes in a form of its own, by the
// rules of registrations: UTF-8, no key twice in an object, no NUL, numbers
// kept exactly, nothing after the end.
//
//	s := registry.ReadStrict(body)
//	err := s.Object("a report", func(key string) (err error) {
//		if key == "status" {
//			status, err = s.Text(key)
//			return err
//		}
//		return s.Skip()
//	})
//
// Every error says what is wrong, and where, for a person; [Strict.Refuse]
// makes a refusal of it.
type Strict struct{ r reader }

// ReadStrict reads body from its start. It keeps body, which must not change.
func ReadStrict(body []byte) Strict { return Strict{newReader(body)} }

// Object reads an object, which messages call what, and calls field for each
// key. Field must read the value.
func (s Strict) Object(what string, field func(key string) error) error {
	return s.r.object(what, field)
}

// List reads a list and calls element before each element, which must read it.
func (s Strict) List(what string, element func() error) error { return s.r.array(what, element) }

// Text reads a string; null is "".
func (s Strict) Text(what string) (string, error) { return s.r.text(what) }

// Facts reads an object of values as [Registration.Facts] are; null is none.
func (s Strict) Facts() (map[string]any, error) { return s.r.facts() }

// Value reads any value, as those of [Registration.Facts] are.
func (s Strict) Value() (any, error) { return s.r.value(MaxDepth) }

// Raw reads any value as its bytes, which are part of the body.
func (s Strict) Raw() ([]byte, error) {
	s.r.peek()
	start := s.r.at
	if err := s.r.skip(); err != nil {
		return nil, err
	}
	return s.r.b[start:s.r.at], nil
}

// Kind is the first byte of the value that comes next, where any digit is '0'
// and 'n' is null; 0: none.
func (s Strict) Kind() byte {
	b := s.r.peek()
	if b == '-' || b >= '0' && b <= '9' {
		return '0'
	}
	return b
}

// Skip passes over any value.
func (s Strict) Skip() error { return s.r.skip() }

// End makes sure that nothing follows.
func (s Strict) End() error { return s.r.end() }

// Refuse makes a [*Refusal] of what reading found wrong, about a node as far as
// its name is known. Nil stays nil.
func (s Strict) Refuse(identity string, err error) error {
	if err == nil {
		return nil
	}
	reason := ReasonMalformed
	if f, ok := errors.AsType[*fault](err); ok {
		reason = f.reason
	}
	return &Refusal{Identity: identity, Reason: reason, Detail: err.Error()}
}
