package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"muster/internal/wire"
)

// Whatever comes from the broker, it is refused with a reason, or it was
// sealed by whom it names.
func FuzzOpen(f *testing.F) {
	s := newSite(f, "site CA")
	sealed := mustSeal(f, s.node("web1"), registration())
	f.Add(sealed)
	f.Add([]byte(`{"payload":"e30","protected":"e30","signature":""}`))
	f.Add([]byte{4, 8, '{', 0})
	f.Add([]byte("--- {}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		opened, err := s.opener().Open(text)
		if err == nil {
			if opened.Proof.Name != "web1" || opened.Sender != "web1" {
				t.Fatalf("%q: opened as %+v", text, opened)
			}
			return
		}
		if refusal, ok := errors.AsType[*wire.Refusal](err); !ok || refusal.Reason == "" || refusal.Detail == "" {
			t.Fatalf("%q: refused with %v", text, err)
		}
	})
}

// What is inside a seal, whatever it be, is refused with a reason or is what
// another reader of JSON finds there.
func FuzzOpenPayload(f *testing.F) {
	s := newSite(f, "site CA")
	key := ed25519Key(f)
	head := header("EdDSA", "", s.sign(leaf("web1"), s.cert, key.Public(), s.key))
	f.Add([]byte(payload(wire.NewRequestID(), `,"body":{"a":[1,2]}`)))
	f.Add([]byte(payload(wire.NewRequestID(), `,"caller":"cert=web1","agent":"x","replyto":"/y","sequence":"7"`)))
	f.Add([]byte(strings.Replace(payload(wire.NewRequestID(), `,"sequence":"7","\u017fender":"web2","x":1`), "request", "registration", 1)))
	f.Fuzz(func(t *testing.T, content []byte) {
		opened, err := s.opener().Open(forge(t, key, head, string(content)))
		if err != nil {
			if refusal, ok := errors.AsType[*wire.Refusal](err); !ok || refusal.Detail == "" {
				t.Fatalf("%q: refused with %v", content, err)
			}
			return
		}
		var other struct {
			Kind, Sender, Agent, Collective, RequestID, ReplyTo string
			Body                                                json.RawMessage
		}
		if err := json.Unmarshal(content, &other); err != nil {
			t.Fatalf("%q: opened, but: %v", content, err)
		}
		if string(opened.Kind) != other.Kind || opened.Sender != other.Sender || opened.Agent != other.Agent ||
			opened.Collective != other.Collective || opened.RequestID != other.RequestID || opened.ReplyTo != other.ReplyTo ||
			!bytes.Equal(opened.Body, other.Body) {
			t.Fatalf("%q: got %+v, another reader %+v", content, opened, other)
		}
	})
}

// Any message that can be sealed opens, and says the same.
func FuzzSealOpen(f *testing.F) {
	s := newSite(f, "site CA")
	web1 := s.node("web1")
	f.Add("rpcutil", "mcollective", "/topic/x", `{"a":1}`, uint64(1))
	f.Add("a\"\\\n", "é\u2028", "\x00", `[1e400, "\ud83d\ude00"]`, uint64(1)<<63)
	f.Fuzz(func(t *testing.T, agent, collective, replyTo, body string, sequence uint64) {
		m := request()
		m.Agent, m.Collective, m.ReplyTo, m.Body, m.Sequence = agent, collective, replyTo, []byte(body), sequence
		sealed, err := web1.Seal(m)
		if err != nil {
			return // not JSON
		}
		got, err := s.opener().Open(sealed)
		if err != nil {
			t.Fatalf("sealed %+v, but: %v", m, err)
		}
		if text := []byte(body); !bytes.Equal(got.Body, bytes.Trim(text, " \t\r\n")) || got.Sequence != sequence {
			t.Fatalf("sealed %q, %d; opened %q, %d", body, sequence, got.Body, got.Sequence)
		}
		for _, pair := range [][2]string{{got.Agent, agent}, {got.Collective, collective}, {got.ReplyTo, replyTo}} {
			if strings.ToValidUTF8(pair[1], "\uFFFD") != pair[0] { // broken UTF-8 is replaced
				t.Fatalf("sealed %q, opened %q", pair[1], pair[0])
			}
		}
	})
}
