package bus

import (
	"strconv"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// message is what was sent, as every receiver shares it.
type message struct {
	id       uint64 // counts from 1 in each broker
	identity string // what a selector on mc_identity is compared with
	expires  time.Time
	size     int      // what it counts for in a queue, in bytes
	header   []string // names and values in turn
	body     []byte

	// The header as each version writes it, once somebody wants it.
	lines [v12 + 1]struct {
		once sync.Once
		text []byte
	}
}

// overhead is what holding a message costs beyond its text, roughly.
const overhead = 256

// newMessage makes a message of a SEND frame. The header keeps the sender's
// lines but for those that only concern the sender or that the broker writes.
func newMessage(f *frame.Frame, id uint64, destination, replyTo string, now time.Time) *message {
	m := &message{id: id, body: f.Body, size: overhead + len(f.Body)}
	m.header = make([]string, 0, 2*f.Header.Len())
	m.header = append(m.header, frame.Destination, destination)
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		switch name {
		case frame.Destination, frame.Receipt, frame.Transaction, frame.ContentLength,
			frame.MessageId, frame.Subscription, frame.Ack, redelivered:
			continue
		case replyToHeader:
			value = replyTo
		case identityHeader:
			m.identity = value
		}
		m.header = append(m.header, name, value)
		m.size += len(name) + len(value)
	}
	m.expires = expiry(f.Header, now)
	return m
}

const (
	replyToHeader  = "reply-to"
	identityHeader = "mc_identity"
	redelivered    = "redelivered"
)

// expiry reads RabbitMQ's expiration (milliseconds from now) and ActiveMQ's
// expires (milliseconds since 1970; 0 is never). Zero is never.
func expiry(h *frame.Header, now time.Time) time.Time {
	if text, ok := h.Contains("expiration"); ok {
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 {
			return now.Add(time.Duration(min(ms, 1<<40)) * time.Millisecond)
		}
	}
	if text, ok := h.Contains("expires"); ok {
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms > 0 {
			return time.UnixMilli(ms)
		}
	}
	return time.Time{}
}

func (m *message) expired(now time.Time) bool {
	return !m.expires.IsZero() && !now.Before(m.expires)
}

// shared returns the header lines that are the same for all receivers, the
// empty line after them included.
func (m *message) shared(v version) []byte {
	l := &m.lines[v]
	l.once.Do(func() {
		l.text = make([]byte, 0, m.size-len(m.body))
		for i := 0; i < len(m.header); i += 2 {
			l.text = appendHeader(l.text, m.header[i], m.header[i+1], v)
		}
		l.text = append(l.text, "content-length:"...)
		l.text = strconv.AppendInt(l.text, int64(len(m.body)), 10)
		l.text = append(l.text, "\n\n"...)
	})
	return l.text
}

// outgoing is one entry of a client's queue: a message for a subscription, or
// a frame of the broker's own.
type outgoing struct {
	message *message
	to      *subscription
	again   bool // the message was handed out before
	frame   *frame.Frame
}

func (o outgoing) size() int {
	if o.message != nil {
		return o.message.size
	}
	return overhead
}

// appendHead appends all of a MESSAGE before its shared lines.
func (o outgoing) appendHead(b []byte, v version) []byte {
	b = append(b, "MESSAGE\n"...)
	if o.to.id != "" {
		b = appendHeader(b, frame.Subscription, o.to.id, v)
	}
	b = append(b, "message-id:"...)
	b = o.to.appendMessageID(b, o.message)
	if o.again {
		b = append(b, "\nredelivered:true\n"...)
	} else {
		b = append(b, "\nredelivered:false\n"...)
	}
	if v == v12 && o.to.ack != ackAuto {
		b = append(b, "ack:"...)
		b = o.to.appendMessageID(b, o.message)
		b = append(b, '\n')
	}
	return b
}
