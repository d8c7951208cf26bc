package bus

import (
	"cmp"
	"time"
)

// Limits bounds what clients may cost a broker. Zero fields mean the values
// given here.
type Limits struct {
	BeforeLogin FrameLimits   // 16 headers, 4 KiB of them, a body of 1 KiB
	AfterLogin  FrameLimits   // 64 headers, 16 KiB of them, a body of 8 MiB
	Login       time.Duration // to log in, TLS included: 10 s
	Write       time.Duration // a client that takes not a byte for so long is dropped: 30 s

	Clients       int // connections at once: 20,000
	Subscriptions int // of one client: 1,000

	// Bytes that wait for one client: 64 MiB on their way to it, and as many
	// that it has yet to make room for by acknowledging. A client with more is
	// dropped. NodeOutbox is the same for nodes and legacy daemons: 4 MiB.
	Outbox, NodeOutbox int

	Queues int           // 10,000
	Queue  int           // bytes that wait in one queue: 64 MiB
	Kept   int           // bytes that wait in all queues: 256 MiB
	Stay   time.Duration // how long a message that does not say waits in a queue: 1 h
}

func (l Limits) withDefaults() Limits {
	return Limits{
		BeforeLogin:   l.BeforeLogin.withDefaults(FrameLimits{16, 4 << 10, 1 << 10}),
		AfterLogin:    l.AfterLogin.withDefaults(FrameLimits{64, 16 << 10, 8 << 20}),
		Login:         cmp.Or(l.Login, 10*time.Second),
		Write:         cmp.Or(l.Write, 30*time.Second),
		Clients:       cmp.Or(l.Clients, 20_000),
		Subscriptions: cmp.Or(l.Subscriptions, 1_000),
		Outbox:        cmp.Or(l.Outbox, 64<<20),
		NodeOutbox:    cmp.Or(l.NodeOutbox, 4<<20),
		Queues:        cmp.Or(l.Queues, 10_000),
		Queue:         cmp.Or(l.Queue, 64<<20),
		Kept:          cmp.Or(l.Kept, 256<<20),
		Stay:          cmp.Or(l.Stay, time.Hour),
	}
}

// FrameLimits bounds what one frame may hold. A frame beyond them is refused
// before memory is set aside for it.
type FrameLimits struct {
	Headers     int // number of headers
	HeaderBytes int // command and headers together
	BodyBytes   int
}

func (l FrameLimits) withDefaults(d FrameLimits) FrameLimits {
	return FrameLimits{cmp.Or(l.Headers, d.Headers), cmp.Or(l.HeaderBytes, d.HeaderBytes), cmp.Or(l.BodyBytes, d.BodyBytes)}
}
