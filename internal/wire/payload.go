package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxTTL is the longest time for which a message may be valid. It bounds how
// long a receiver has to remember requests.
const MaxTTL = time.Hour

// memberNames are the members of a payload.
var memberNames = []string{
	"kind", "sender", "caller", "agent", "collective", "requestid", "replyto", "sent", "sequence", "ttl", "body",
}

// encodePayload writes the head and the body as one JSON object. The sequence
// is text, because it does not fit the numbers of many JSON readers.
func encodePayload(m Message) ([]byte, error) {
	out := make([]byte, 0, 512+len(m.Body))
	out = append(out, `{"kind":`...)
	out = appendText(out, string(m.Kind))
	for _, text := range []struct{ name, value string }{
		{"sender", m.Sender},
		{"caller", m.Caller},
		{"agent", m.Agent},
		{"collective", m.Collective},
		{"requestid", m.RequestID},
		{"replyto", m.ReplyTo},
		{"sent", m.Sent.UTC().Format(time.RFC3339Nano)},
	} {
		if text.value != "" {
			out = append(append(append(out, `,"`...), text.name...), `":`...)
			out = appendText(out, text.value)
		}
	}
	if m.Sequence != 0 {
		out = append(strconv.AppendUint(append(out, `,"sequence":"`...), m.Sequence, 10), '"')
	}
	if m.TTL > 0 {
		seconds := (m.TTL + time.Second - 1) / time.Second
		out = strconv.AppendInt(append(out, `,"ttl":`...), int64(seconds), 10)
	}
	if len(m.Body) > 0 {
		if !jsontext.Value(m.Body).IsValid() {
			return nil, errors.New("the body is not JSON, or has duplicate keys or broken UTF-8")
		}
		out = append(append(out, `,"body":`...), m.Body...)
	}
	return append(out, '}'), nil
}

func appendText(out []byte, text string) []byte {
	out, _ = jsontext.AppendQuote(out, strings.ToValidUTF8(text, "\uFFFD")) // fails on broken UTF-8 only
	return out
}

// decodePayload is the opposite of encodePayload. The body stays as it is.
//
// Members it does not know are passed over, so that an older registry keeps
// what a newer daemon says; but not in a request: who acts on half of what
// was asked does something else.
func decodePayload(payload []byte) (Message, error) {
	var m Message
	members, err := newMembers(payload)
	if err != nil {
		return m, err
	}
	unknown := ""
	for {
		name, value, err := members.next()
		if err != nil {
			return m, err
		}
		if name == "" {
			break
		}
		known, err := m.setMember(name, value)
		if err != nil {
			return m, fmt.Errorf("member %s: %w", name, err)
		}
		if !known {
			unknown = name
		}
	}
	if unknown != "" && m.Kind == Request {
		return m, fmt.Errorf("the request says %q, which this version does not understand", unknown)
	}
	return m, m.check()
}

// setMember reads one member into m, and reports whether its name is known.
func (m *Message) setMember(name string, value jsontext.Value) (known bool, err error) {
	switch name {
	case "kind":
		err = setText((*string)(&m.Kind), value)
	case "sender":
		err = setText(&m.Sender, value)
	case "caller":
		err = setText(&m.Caller, value)
	case "agent":
		err = setText(&m.Agent, value)
	case "collective":
		err = setText(&m.Collective, value)
	case "requestid":
		err = setText(&m.RequestID, value)
	case "replyto":
		err = setText(&m.ReplyTo, value)
	case "sent":
		err = setTime(&m.Sent, value)
	case "sequence":
		err = setSequence(&m.Sequence, value)
	case "ttl":
		err = setTTL(&m.TTL, value)
	case "body":
		m.Body = value
	default:
		// A reader that compares names without case would take it for
		// another member than we do.
		for _, known := range memberNames {
			if strings.EqualFold(name, known) {
				return false, fmt.Errorf("want it spelt %s", known)
			}
		}
		return false, nil
	}
	return true, err
}

func setText(to *string, value jsontext.Value) error {
	if value.Kind() != '"' {
		return errors.New("not a string")
	}
	text, err := jsontext.AppendUnquote(nil, value)
	*to = string(text)
	return err
}

func setTime(to *time.Time, value jsontext.Value) error {
	var text string
	if err := setText(&text, value); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return errors.New("not a time as RFC 3339 writes it")
	}
	*to = at.UTC()
	return nil
}

func setSequence(to *uint64, value jsontext.Value) (err error) {
	var text string
	if err := setText(&text, value); err != nil {
		return err
	}
	if *to, err = strconv.ParseUint(text, 10, 64); err != nil {
		return errors.New("not a whole number, as text, of at most 64 bits")
	}
	return nil
}

func setTTL(to *time.Duration, value jsontext.Value) error {
	seconds, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || seconds < 0 || seconds > int64(MaxTTL/time.Second) {
		return fmt.Errorf("not a whole number of seconds up to %d", int64(MaxTTL/time.Second))
	}
	*to = time.Duration(seconds) * time.Second
	return nil
}

// check reports what is missing in m, or does not fit its kind.
func (m *Message) check() error {
	switch m.Kind {
	case Registration:
		if m.Sequence == 0 {
			return errors.New("a registration needs a sequence")
		}
	case Request:
		if m.TTL <= 0 {
			return errors.New("a request needs a ttl")
		}
	case Receipt, Reply:
	default:
		return fmt.Errorf("there is no kind of message %q", string(m.Kind))
	}
	switch {
	case m.Sender == "":
		return errors.New("no sender")
	case m.Sent.IsZero():
		return errors.New("no time of sending")
	case !isRequestID(m.RequestID):
		return errors.New("the request id is not 32 lower-case hexadecimal digits")
	case m.TTL < 0 || m.TTL > MaxTTL:
		return fmt.Errorf("the ttl %s is not between 0 and %s", m.TTL, MaxTTL)
	}
	return nil
}
