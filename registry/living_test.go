package registry

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What is told of a node by when it was heard is what its head tells.
func TestStatesWithoutHeads(t *testing.T) {
	d := rand.New(rand.NewPCG(5, 11))
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	hours := func(n int) time.Duration { return time.Duration(d.IntN(n)) * time.Hour / 2 }
	all, _ := ParseStates("any")
	quick := 0
	for range 20_000 {
		l := Lifecycle{Rule: Rule{ExpireAfter: time.Hour + hours(100)}}
		if d.IntN(2) == 0 {
			l.Collectives = map[string]Rule{"eu": {ExpireAfter: hours(50)}, "us": {StaleIntervals: 9}}
		}
		l = l.complete()
		h := &heard{at: now.Add(hours(10))}
		for range d.IntN(3) {
			h = h.deafTo(h.at.Add(hours(30)))
			h = h.until(h.at.Add(hours(30)))
		}
		n := &Head{LastSeen: now.Add(hours(300) - 120*time.Hour), Interval: hours(5)}
		switch d.IntN(8) {
		case 0:
			n.Deactivated = &Deactivation{}
		case 1:
			n.RenamedTo = "other"
		case 2:
			n.LastSeen = time.Time{}
		case 3:
			n.LastSeen = h.at.Add(-l.ExpireAfter + time.Duration(d.IntN(3)-1)*time.Millisecond)
		case 4:
			n.LastSeen = time.Unix(int64(d.IntN(3)-1)<<40, 0)
		}
		for _, c := range []string{"eu", "us"} {
			if d.IntN(3) == 0 {
				n.Collectives = append(n.Collectives, c)
			}
		}
		states := slices.DeleteFunc(slices.Clone(all), func(State) bool { return d.IntN(4) == 0 })
		want := l.want(states, h)
		var r row
		r.renew(n)
		if r.heard > want.after {
			quick++
		}
		if got := want.row(r); got != slices.Contains(states, l.state(n, h)) {
			t.Fatalf("%+v at %v is %s, in %v: %t", n, h.at, l.state(n, h), states, got)
		}
	}
	if quick < 1000 {
		t.Errorf("only %d were told without their heads", quick)
	}
}
