package bus

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

type ackMode int

const (
	ackAuto       ackMode = iota
	ackClient             // an ACK covers all before it
	ackIndividual         // an ACK covers one message
)

// defaultPrefetch is how many messages a subscription that acknowledges gets
// ahead of its acknowledgements, unless it says prefetch-count; maxPrefetch is
// what it may say.
const (
	defaultPrefetch = 1_000
	maxPrefetch     = 10_000
)

// subscription is one client's wish for what is sent to a destination.
type subscription struct {
	peer        *peer
	id          string // as the client named it; empty in STOMP 1.0 without one
	number      uint64 // counts from 1 in each connection
	destination destination
	words       []string // of a pattern
	selector    string   // only messages whose mc_identity is this; empty: all
	ack         ackMode
	queue       *queue // nil: straight into the client's outbox

	// These belong to the queue's lock.
	prefetch int
	unacked  []*message // in the order in which they were handed out
	all      bool       // prefetch no longer matters
}

func newSubscription(p *peer, f *frame.Frame) (*subscription, error) {
	d, err := parseDestination(f.Header.Get(frame.Destination))
	if err != nil {
		return nil, err
	}
	s := &subscription{peer: p, id: f.Header.Get(frame.Id), destination: d, prefetch: defaultPrefetch}
	if s.id == "" && p.version != v10 {
		return nil, errors.New("SUBSCRIBE without an id")
	}
	switch f.Header.Get(frame.Ack) {
	case "", "auto":
	case "client":
		s.ack = ackClient
	case "client-individual":
		s.ack = ackIndividual
	default:
		return nil, errors.New("ack is auto, client or client-individual")
	}
	if n, err := strconv.Atoi(f.Header.Get("prefetch-count")); err == nil && n > 0 {
		s.prefetch = min(n, maxPrefetch)
	}
	if text := f.Header.Get("selector"); text != "" {
		if s.selector, err = parseSelector(text); err != nil {
			return nil, err
		}
	}
	if d.pattern() {
		s.words = splitKey(d.key)
	}
	return s, nil
}

// parseSelector understands the one selector that MCollective's daemons use.
func parseSelector(text string) (identity string, err error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), identityHeader)
	rest, ok2 := strings.CutPrefix(strings.TrimSpace(rest), "=")
	rest = strings.TrimSpace(rest)
	if !ok || !ok2 || len(rest) < 3 || rest[0] != '\'' || rest[len(rest)-1] != '\'' || strings.Contains(rest[1:len(rest)-1], "'") {
		return "", errors.New("the only selector here is mc_identity = 'NAME'")
	}
	return rest[1 : len(rest)-1], nil
}

// key is what a client names the subscription by when it ends it.
func (s *subscription) key() string {
	if s.id != "" {
		return s.id
	}
	return s.destination.text
}

func (s *subscription) wants(m *message) bool {
	return s.selector == "" || s.selector == m.identity
}

// room reports whether s may be handed one more message. One is always allowed,
// so that an acknowledgement will come that makes room. The queue's lock is held.
func (s *subscription) room() bool {
	if s.ack == ackAuto || s.all || len(s.unacked) == 0 {
		return true
	}
	unacked := &s.peer.unacked
	return len(s.unacked) < s.prefetch && unacked.used.Load() < int64(unacked.limit)
}

// hand gives s a message of its queue. The queue's lock is held.
func (s *subscription) hand(w waiting) {
	if s.ack != ackAuto {
		s.unacked = append(s.unacked, w.message)
		s.peer.unacked.used.Add(int64(w.message.size))
	}
	s.peer.put(outgoing{message: w.message, to: s, again: w.again})
}

// appendMessageID appends the name of a delivery, unique in the broker:
// session, subscription, message.
func (s *subscription) appendMessageID(b []byte, m *message) []byte {
	b = append(b, s.peer.session...)
	b = append(b, '-')
	b = strconv.AppendUint(b, s.number, 10)
	b = append(b, '-')
	return strconv.AppendUint(b, m.id, 10)
}

// parseMessageID takes apart what appendMessageID wrote.
func parseMessageID(text string) (subscription, message uint64, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return 0, 0, false
	}
	subscription, err := strconv.ParseUint(parts[1], 10, 64)
	message, err2 := strconv.ParseUint(parts[2], 10, 64)
	return subscription, message, err == nil && err2 == nil
}
