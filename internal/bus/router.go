package bus

import (
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// router knows who gets what. Its locks are taken in this order: router,
// queue, outbox; nothing waits while holding one.
type router struct {
	limits Limits
	kept   budget // of all queues that many share

	last atomic.Uint64 // id of the newest message

	mu     sync.RWMutex
	groups map[string]*group // exchanges and topics
	queues map[string]*queue // by name; reply queues by "/reply-queue/NAME"
}

// group is one exchange, or all topics: its subscriptions by key.
type group struct {
	exact    map[string][]*subscription
	patterns []*subscription
}

func newRouter(limits Limits) *router {
	return &router{
		limits: limits, kept: budget{limit: limits.Kept},
		groups: map[string]*group{}, queues: map[string]*queue{},
	}
}

// send gives m to everybody who is to have it. An error is the sender's to know.
func (r *router) send(d destination, m *message, now time.Time) error {
	switch d.kind {
	case toEach:
		r.sendToEach(d, m, now)
	case private:
		r.mu.RLock()
		q := r.queues[d.text]
		r.mu.RUnlock()
		if q != nil { // else whoever asked has gone
			q.offer(m, now)
		}
	case toOne:
		return r.sendToOne(d, m, now)
	}
	return nil
}

func (r *router) sendToEach(d destination, m *message, now time.Time) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	g := r.groups[d.group]
	if g == nil {
		return
	}
	for _, s := range g.exact[d.key] {
		s.deliver(m, now)
	}
	if len(g.patterns) == 0 {
		return
	}
	key := splitKey(d.key)
	for _, s := range g.patterns {
		if matchWords(s.words, key) {
			s.deliver(m, now)
		}
	}
}

// deliver gives s its copy of a message that many may get.
func (s *subscription) deliver(m *message, now time.Time) {
	switch {
	case !s.wants(m):
	case s.queue == nil:
		s.peer.put(outgoing{message: m, to: s})
	case !s.queue.offer(m, now):
		s.peer.overflow()
	}
}

func (r *router) sendToOne(d destination, m *message, now time.Time) error {
	// The lock is held over the offer: a queue must not be forgotten in between.
	r.mu.RLock()
	if q := r.queues[d.key]; q != nil {
		defer r.mu.RUnlock()
		return offered(q, m, now)
	}
	r.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	q, err := r.queue(d.key, now)
	if err != nil {
		return err
	}
	return offered(q, m, now)
}

func offered(q *queue, m *message, now time.Time) error {
	if !q.offer(m, now) {
		return errors.New("the queue is full: nobody reads it, or not fast enough")
	}
	return nil
}

// heard reports whether somebody listens to the queue of a name.
func (r *router) heard(name string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	q := r.queues[name]
	if q == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.consumers) > 0
}

// queue returns the queue of a name, made if need be. The caller holds mu.
func (r *router) queue(name string, now time.Time) (*queue, error) {
	if q := r.queues[name]; q != nil {
		return q, nil
	}
	if len(r.queues) >= r.limits.Queues {
		r.forgetIdle(now)
	}
	if len(r.queues) >= r.limits.Queues {
		return nil, errors.New("there are too many queues")
	}
	q := &queue{limit: r.limits.Queue, budget: &r.kept}
	r.queues[name] = q
	return q, nil
}

func (r *router) forgetIdle(now time.Time) {
	for name, q := range r.queues {
		if !q.own && q.idle(now) {
			delete(r.queues, name)
		}
	}
}

// subscribe makes s receive from now on.
func (r *router) subscribe(s *subscription, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.destination.kind == toOne {
		q, err := r.queue(s.destination.key, now)
		if err != nil {
			return err
		}
		s.queue = q
		q.add(s, now)
		return nil
	}
	if s.ack != ackAuto {
		s.queue = &queue{limit: math.MaxInt, budget: &s.peer.kept, own: true}
		s.queue.add(s, now)
	}
	g := r.groups[s.destination.group]
	if g == nil {
		g = &group{exact: map[string][]*subscription{}}
		r.groups[s.destination.group] = g
	}
	if s.words != nil {
		g.patterns = append(g.patterns, s)
	} else {
		g.exact[s.destination.key] = append(g.exact[s.destination.key], s)
	}
	return nil
}

// unsubscribe undoes subscribe and answerTo.
func (r *router) unsubscribe(s *subscription, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.queue != nil {
		s.queue.remove(s, now)
	}
	switch s.destination.kind {
	case toOne:
		if s.queue.idle(now) {
			delete(r.queues, s.destination.key)
		}
	case private:
		delete(r.queues, s.destination.text)
	case toEach:
		r.groups[s.destination.group].remove(s)
		if g := r.groups[s.destination.group]; len(g.exact)+len(g.patterns) == 0 {
			delete(r.groups, s.destination.group)
		}
	}
}

func (g *group) remove(s *subscription) {
	same := func(other *subscription) bool { return other == s }
	if s.words != nil {
		g.patterns = slices.DeleteFunc(g.patterns, same)
		return
	}
	key := s.destination.key
	g.exact[key] = slices.DeleteFunc(g.exact[key], same)
	if len(g.exact[key]) == 0 {
		delete(g.exact, key)
	}
}

// answerTo makes the private queue behind a reply-to of /temp-queue/NAME. Its
// messages reach p as if p had subscribed under that name.
func (r *router) answerTo(p *peer, temp string, now time.Time) *subscription {
	name := "amq.gen-" + rand.Text()
	s := &subscription{peer: p, id: temp, destination: destination{text: replyPrefix + name, kind: private, key: name}}
	s.queue = &queue{limit: math.MaxInt, budget: &s.peer.kept, own: true}
	s.queue.add(s, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queues[s.destination.text] = s.queue
	return s
}
