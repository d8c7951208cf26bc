package wire_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/wire"
)

func TestRequestsOpenOnce(t *testing.T) {
	s := newSite(t, "site CA")
	opener := s.opener()
	web1, web2 := s.node("web1"), s.node("web2")
	m := request()
	sealed := mustSeal(t, web1, m)
	if _, err := opener.Open(sealed); err != nil {
		t.Fatal(err)
	}
	_, err := opener.Open(sealed)
	wantRefusal(t, err, wire.Replayed, "already received")
	// The same, sealed anew or under a name in capitals, is the same request.
	_, err = opener.Open(mustSeal(t, web1, m))
	wantRefusal(t, err, wire.Replayed, "already received")
	_, err = opener.Open(mustSeal(t, s.node("WEB1"), m))
	wantRefusal(t, err, wire.Replayed, "already received")
	// Somebody else's is another one: nobody can spoil another's request.
	if _, err := opener.Open(mustSeal(t, web2, m)); err != nil {
		t.Error(err)
	}
	// At no moment is it neither remembered nor expired.
	for after := time.Duration(0); after <= time.Minute+2*time.Second; after += 500 * time.Millisecond {
		s.now = noon.Add(after)
		want := wire.Replayed
		if after > time.Minute {
			want = wire.Expired
		}
		_, err := opener.Open(sealed)
		wantRefusal(t, err, want, "")
	}
}

// Of many deliveries at once, one is opened.
func TestRequestsOpenOnceAtOnce(t *testing.T) {
	s := newSite(t, "site CA")
	opener := s.opener()
	sealed := mustSeal(t, s.node("web1"), request())
	var opened atomic.Int32
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := opener.Open(sealed); err == nil {
				opened.Add(1)
			}
		})
	}
	all.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
}

// A request that was refused for its time is not remembered, so it can not
// fill the memory, and one that comes too early opens later.
func TestRefusedRequestsAreNotRemembered(t *testing.T) {
	s := newSite(t, "site CA")
	opener := s.opener()
	sealed := mustSeal(t, s.node("web1"), request())
	s.now = noon.Add(-10 * time.Minute)
	_, err := opener.Open(sealed)
	wantRefusal(t, err, wire.Future, "")
	s.now = noon
	if _, err := opener.Open(sealed); err != nil {
		t.Error(err)
	}
}

// One sender can not use up the memory for all.
func TestOneSenderCanNotFillTheMemory(t *testing.T) {
	s := newSite(t, "site CA")
	opener := s.opener()
	mallory, alice := s.node("mallory"), s.node("alice")
	first := mustSeal(t, mallory, request())
	var err error
	_, err = opener.Open(first)
	for sent := 1; err == nil; sent++ {
		if sent > 10_000 {
			t.Fatal("10,000 requests of one sender were opened within a minute")
		}
		_, err = opener.Open(mustSeal(t, mallory, request()))
	}
	wantRefusal(t, err, wire.Replayed, "too many requests")
	if _, err := opener.Open(mustSeal(t, alice, request())); err != nil {
		t.Errorf("another sender: %v", err)
	}
	_, err = opener.Open(first)
	wantRefusal(t, err, wire.Replayed, "already received")
	s.now = noon.Add(2 * time.Minute)
	m := request()
	m.Sent = s.now
	if _, err := opener.Open(mustSeal(t, mallory, m)); err != nil {
		t.Errorf("when they have expired: %v", err)
	}
}
