package registry

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHeardByEither: a moment counts as heard if one of two registries could
// hear then, and as nothing after both ceased.
func TestHeardByEither(t *testing.T) {
	second := func(n int) time.Time { return time.Unix(int64(n), 0) }
	draw := func(t *rapid.T, name string) (*heard, func(n int) bool) {
		h := &heard{at: second(0)}
		var deaf [100]bool
		end := rapid.IntRange(1, 100).Draw(t, name+" ends")
		for n := 0; n < end; {
			to := min(end, n+rapid.IntRange(1, 20).Draw(t, name+" for"))
			if rapid.Bool().Draw(t, name+" is deaf") {
				h = h.deafTo(second(to))
				for i := n; i < to; i++ {
					deaf[i] = true
				}
			} else {
				h = h.until(second(to))
			}
			n = to
		}
		return h, func(n int) bool { return n < end && !deaf[n] }
	}
	rapid.Check(t, func(t *rapid.T) {
		a, hearsA := draw(t, "a")
		b, hearsB := draw(t, "b")
		now := rapid.IntRange(int(a.at.Unix()), 120).Draw(t, "now")
		both := a.with(b, second(now))
		end := int(both.at.Unix())
		if want := min(now, max(int(a.at.Unix()), int(b.at.Unix()))); end != want {
			t.Fatalf("it ends at %d, want %d", end, want)
		}
		for n := range end {
			want := 0
			for i := n; i < end; i++ {
				if hearsA(i) || hearsB(i) {
					want++
				}
			}
			if got := both.age(second(n)); got != time.Duration(want)*time.Second {
				t.Fatalf("since %d it heard for %v, want %ds", n, got, want)
			}
		}
	})
}
