package wire

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// members reads one JSON object member by member. Duplicate names, at any
// depth, broken UTF-8 and anything after the object are errors.
type members struct {
	dec *jsontext.Decoder
}

func newMembers(text []byte) (members, error) {
	m := members{dec: jsontext.NewDecoder(bytes.NewBuffer(text))}
	if m.dec.PeekKind() != '{' {
		return m, errors.New("not a JSON object")
	}
	_, err := m.dec.ReadToken()
	return m, err
}

// next returns the next member; name is empty after the last. The value
// points into the text.
func (m members) next() (name string, value jsontext.Value, err error) {
	token, err := m.dec.ReadToken()
	if err != nil {
		return "", nil, err
	}
	if token.Kind() == '}' {
		if _, err := m.dec.ReadToken(); !errors.Is(err, io.EOF) {
			return "", nil, errors.New("there is more after the JSON object")
		}
		return "", nil, nil
	}
	name = token.String()
	if name == "" {
		return "", nil, errors.New("a member has an empty name")
	}
	value, err = m.dec.ReadValue()
	return name, value, err
}

// listOfText reads a JSON list of strings.
func listOfText(value jsontext.Value) ([]string, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(value))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var texts []string
	for dec.PeekKind() != ']' {
		item, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		var text string
		if err := setText(&text, item); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
