package wire

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// envelope is a JWS in the flattened JSON serialization (RFC 7515, 7.2.2):
// three members, each base64url text, and nothing else.
type envelope struct {
	protected, payload, signature []byte
}

// encoding is base64url without padding. Strict, so that no bit of a sealed
// message can be turned without breaking the seal.
var encoding = base64.RawURLEncoding.Strict()

// parseEnvelope splits a sealed message. The parts point into it.
func parseEnvelope(sealed []byte) (envelope, error) {
	var e envelope
	members, err := newMembers(sealed)
	if err != nil {
		return e, err
	}
	for {
		name, value, err := members.next()
		if err != nil {
			return e, err
		}
		if name == "" {
			break
		}
		part := map[string]*[]byte{"protected": &e.protected, "payload": &e.payload, "signature": &e.signature}[name]
		if part == nil {
			return e, fmt.Errorf("a seal has no member %q", name)
		}
		if *part, err = plainText(value); err != nil {
			return e, fmt.Errorf("member %s %w", name, err)
		}
	}
	if e.protected == nil || e.payload == nil || e.signature == nil {
		return e, fmt.Errorf("want the members payload, protected and signature")
	}
	return e, nil
}

// input is what a signature covers.
func (e envelope) input() []byte {
	input := make([]byte, 0, len(e.protected)+1+len(e.payload))
	input = append(input, e.protected...)
	input = append(input, '.')
	return append(input, e.payload...)
}

// encode is the opposite of parseEnvelope.
func (e envelope) encode() []byte {
	const frame = `{"payload":"","protected":"","signature":""}`
	out := make([]byte, 0, len(frame)+len(e.payload)+len(e.protected)+len(e.signature))
	out = append(out, `{"payload":"`...)
	out = append(out, e.payload...)
	out = append(out, `","protected":"`...)
	out = append(out, e.protected...)
	out = append(out, `","signature":"`...)
	out = append(out, e.signature...)
	return append(out, `"}`...)
}

// plainText returns what stands between the quotes of a JSON string that
// needs no escapes, as base64url never does.
func plainText(value jsontext.Value) ([]byte, error) {
	if value.Kind() != '"' {
		return nil, fmt.Errorf("is not a string")
	}
	text := value[1 : len(value)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		return nil, fmt.Errorf("is not base64url")
	}
	return text, nil
}

func decode64(text []byte) ([]byte, error) {
	out := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(out, text)
	return out[:n], err
}

func encode64(data []byte) []byte {
	return encoding.AppendEncode(nil, data)
}
