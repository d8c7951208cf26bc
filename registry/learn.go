package registry

import "time"

// Limits of what is learnt about intervals.
const (
	gapsToLearn = 3 // so many times between registrations make an interval
	minLearnt   = time.Minute
)

// learn guesses the interval of a source that does not tell, from the times
// between its registrations. A long pause counts as twice the usual, so that an
// outage is soon forgotten and a new interval soon learnt.
func (s *Section) learn(source Source, old *part, h *heard) {
	if s.Interval > 0 || source == Import || !source.speaks() || old == nil {
		return
	}
	s.guess, s.gaps = old.guess, old.gaps
	if s.guess == 0 {
		s.guess = old.learnt // as loaded
		if s.guess > 0 {
			s.gaps = gapsToLearn
		}
	}
	passed := max(h.until(s.Received).age(old.received), minLearnt)
	switch {
	case s.guess == 0:
		s.guess = passed
	case passed > 2*s.guess:
		s.guess *= 2
	default:
		s.guess = (3*s.guess + passed) / 4
	}
	if s.gaps++; s.gaps >= gapsToLearn {
		s.gaps, s.Learnt = gapsToLearn, s.guess.Truncate(time.Millisecond)
	}
}
