package api

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonTexts returns a string, a number or a list of strings as strings.
func jsonTexts(value jsontext.Value) ([]string, bool) {
	switch value.Kind() {
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return []string{text}, err == nil
	case '0':
		return []string{string(value)}, true
	case '[':
		var texts []string
		err := json.Unmarshal(value, &texts)
		return texts, err == nil
	default:
		return nil, false
	}
}

// jsonValue returns a value as queries know them: integers stay integers.
func jsonValue(value jsontext.Value) (any, error) {
	var v any
	numbers := json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
		if d.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		number, err := d.ReadValue()
		if err != nil {
			return err
		}
		*v, err = jsonNumber(string(number))
		return err
	})
	err := json.Unmarshal(value, &v, json.WithUnmarshalers(numbers))
	return v, err
}

func jsonNumber(text string) (any, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", cut(text, 60))
	}
	return f, nil
}

// jsonProblem says what is wrong with JSON in words of ours.
func jsonProblem(err error) string {
	if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fmt.Sprintf("a key is given twice, at byte %d", syn.ByteOffset)
		}
		return fmt.Sprintf("%v at byte %d", syn.Err, syn.ByteOffset)
	}
	if sem, ok := errors.AsType[*json.SemanticError](err); ok && sem.Err != nil {
		return sem.Err.Error()
	}
	return "it is of another kind"
}
