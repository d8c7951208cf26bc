package registry

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzReader: the reader takes what the library takes, and nothing else; what
// it has read, written and read again, is the same. It is stricter about NULs,
// and does not mind what keys there are in what it leaves out.
func FuzzReader(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-2,3.5,1e3,"x\u00e9\n",true,false,null,{}],"b":{"c":[]}}`, ` [ ] `, `0`, `-0`, `00`, `1.`, `.5`, `+1`, `-`, `1e`, `123456789012345678901`,
		`"\ud83d\ude00"`, `"\ud800"`, "\"\xff\"", "\"é\"", "\"a\tb\"", `"\x"`, `"`, `{"a":1,"a":2}`, `{"a" : 1 , }`, `[1,]`, `[1 2]`, `{"a"}`, `nul`, `truex`, `{} x`, ``,
		`{"$date":"2026-01-02T15:04:05Z"}`, `[[[[]]]]`, `{"a":[{"b":"c"},{"d":[[],{}]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		valid := libraryTakes(text)
		r := newReader(text)
		v, err := r.value(MaxDepth)
		if err == nil {
			err = r.end()
		}
		if (err == nil) != valid && !bytes.Contains(text, []byte(`\u0000`)) {
			t.Fatalf("%q: %v; the library takes it: %v", text, err, valid)
		}
		skipper := newReader(text)
		if skipped := skipper.over() && skipper.end() == nil; valid && !skipped {
			t.Fatalf("%q can not be read over", text)
		}
		skimmer := newReader(text)
		if skimmed := skimmer.skim() && skimmer.end() == nil; valid && !skimmed {
			t.Fatalf("%q ends at byte %d when it is skimmed", text, skimmer.at)
		}
		if err != nil {
			return
		}
		again, err := newReader(appendValue(nil, v)).value(MaxDepth)
		if err != nil || !sameValue(v, again) {
			t.Fatalf("%q: %#v reads back as %#v, %v", text, v, again, err)
		}
	})
}

func libraryTakes(text []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	depth, values := 0, 0
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return errors.Is(err, io.EOF) && depth == 0 && values == 1
		}
		if kind := token.Kind(); kind == '{' || kind == '[' {
			depth++
		} else if kind == '}' || kind == ']' {
			depth--
		}
		if depth == 0 {
			values++
		}
	}
}
