package registry

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// maxSkew is how far a sender's clock may be off before its node gets a warning.
const maxSkew = 5 * time.Minute

// Normalize makes of a registration the section it will be, at the time of the
// registry's clock, or refuses it with a [*Refusal]. What goes beyond the
// limits is left out, with a warning in the section. Hash is for the registry
// to fill in, which knows what is volatile.
func Normalize(reg Registration, now time.Time) (Identity, *Section, error) {
	id, err := ParseIdentity(reg.Identity)
	if err != nil {
		return "", nil, &Refusal{Identity: reg.Identity, Reason: ReasonIdentity, Detail: err.Error()}
	}
	clock := now
	now = stamp(now)
	s := &Section{
		Interval: max(reg.Interval, 0).Truncate(time.Millisecond),
		Auth:     reg.Auth,
		Sequence: reg.Sequence,
		Sent:     stamp(reg.Sent),
		Received: now,
		Changed:  now,
		Warnings: reg.Warnings[:min(len(reg.Warnings), maxWarnings):min(len(reg.Warnings), maxWarnings)],
	}
	if reg.Source == Import && !reg.Seen.IsZero() && reg.Seen.Before(now) {
		s.Received = stamp(reg.Seen)
	}
	facts, warnings := reg.Facts, []string(nil)
	if reg.Source != Trusted {
		facts, warnings = withoutTrusted(reg.Facts)
	}
	if len(reg.Trusted) > 0 {
		warnings = append(warnings, "trusted facts come from the certificate or an operator, not from a registration: left out")
	}
	s.Warnings = append(s.Warnings, warnings...)
	s.Facts, warnings = trimFacts(facts)
	if len(s.Facts) == 0 {
		s.Facts = nil
	}
	s.Warnings = append(s.Warnings, warnings...)
	for _, list := range []struct {
		what string
		from []string
		to   *[]string
	}{
		{"classes", reg.Classes, &s.Classes},
		{"agents", reg.Agents, &s.Agents},
		{"collectives", reg.Collectives, &s.Collectives},
	} {
		*list.to, warnings = trimList(list.what, list.from)
		s.Warnings = append(s.Warnings, warnings...)
	}
	s.Warnings = append(s.Warnings, skewWarning(s.Sent, now)...)
	s.Warnings = append(s.Warnings, s.keepInReach(clock)...)
	return id, s, nil
}

// withoutTrusted takes out the fact names under which a reader could mistake a
// node's own word for its certificate's.
func withoutTrusted(facts map[string]any) (map[string]any, []string) {
	mine := func(k string, _ any) bool {
		return k == string(Trusted) || strings.HasPrefix(k, string(Trusted)+".")
	}
	for k := range facts {
		if mine(k, nil) {
			facts = maps.Clone(facts)
			maps.DeleteFunc(facts, mine)
			return facts, []string{"the fact trusted was left out: trusted facts come from the certificate or an operator, not from a registration"}
		}
	}
	return facts, nil
}

func skewWarning(sent, now time.Time) []string {
	if sent.IsZero() {
		return nil
	}
	switch skew := sent.Sub(now).Round(time.Minute); {
	case skew > maxSkew:
		return []string{fmt.Sprintf("the node's clock is %v ahead", skew)}
	case skew < -maxSkew:
		return []string{fmt.Sprintf("the node's clock is %v behind, or the message was under way for so long", -skew)}
	}
	return nil
}

// stamp is a time as stores keep it.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
