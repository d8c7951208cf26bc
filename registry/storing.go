package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// storing remembers whether the store takes what it is given.
type storing struct {
	mu    sync.Mutex
	since time.Time // zero: it does
	why   string
}

// written notes how a write ended, and returns its error. One that its asker gave
// up says nothing of the store.
func (r *Registry) written(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOvertaken) {
		return err
	}
	s := &r.storing
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && !s.since.IsZero():
		s.since, s.why = time.Time{}, ""
		r.conf.Log.Info("the store takes writes again")
	case err != nil && s.since.IsZero():
		s.since, s.why = r.conf.Now(), err.Error()
		r.conf.Log.Error("nothing can be stored: questions are answered from what is known, and registrations are refused until there is room", "error", err)
	}
	return err
}

// failing says since when the store takes nothing, and why; zero: it does.
func (s *storing) failing() (time.Time, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.why
}
