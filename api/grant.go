package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"muster/internal/pki"
	"muster/registry"
)

// speaksFor returns nil if what p says of the node of that identity is to be
// believed, and the refusal otherwise: a node speaks for itself, a forwarder
// for those that it is listed for, an administrator for all. It is the only
// place where this is decided.
func (p Principal) speaksFor(identity string) error {
	switch p.Role {
	case NodeRole:
		if strings.EqualFold(identity, p.Name) {
			return nil
		}
	case Forwarder:
		if len(p.For) == 0 || anyFits(p.For, identity) {
			return nil
		}
	case Admin:
		return nil
	case Reader, Operator, Neighbour, Anyone:
		// They ask.
	}
	return &registry.Refusal{
		Identity: identity, Reason: "wrong_sender",
		Detail: fmt.Sprintf("%s may not register as %q", p.Name, cut(identity, 60)),
	}
}

// trusts takes out of a registration the trusted facts that p may vouch for: a
// node's certificate says its own, forwarders and administrators say them of
// others. nil: nothing is said; empty: that there are none.
func (p Principal) trusts(reg *registry.Registration) map[string]any {
	switch {
	case p.Role == NodeRole && p.cert != nil:
		if facts := pki.TrustedFacts(p.cert); facts != nil {
			return facts
		}
		return map[string]any{}
	case p.Role == Forwarder, p.Role == Admin:
		facts := reg.Trusted
		reg.Trusted = nil
		return facts
	}
	return nil
}

// anyFits reports whether a name fits one of the patterns, in which * stands
// for any characters. Case does not count, as in identities.
func anyFits(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if fits(strings.ToLower(pattern), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

func fits(pattern, name string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	for ok && !strings.HasSuffix("*"+rest, "*") {
		part, more, wild := strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(name, part)
		}
		_, name, ok = strings.Cut(name, part)
		rest = more
	}
	return ok
}

// identityPattern is what a pattern of identities is made of.
var identityPattern = regexp.MustCompile(`^[A-Za-z0-9._:*-]{1,255}$`)

func (g Grant) check(role Role) error {
	if _, err := g.Scope.Sight(); err != nil {
		return err
	}
	if slices.Contains(g.Scope.Collectives, "") {
		return errors.New("a collective has no name")
	}
	if len(g.For) > 0 && role != Forwarder {
		return fmt.Errorf("only a forwarder speaks for others, not the role %s", role)
	}
	for _, pattern := range g.For {
		if !identityPattern.MatchString(pattern) {
			return fmt.Errorf("%q is no pattern of identities", cut(pattern, 60))
		}
	}
	return nil
}

// checkGrants finds in a configuration what can not be meant.
func checkGrants(c Config) error {
	for name, patterns := range c.Forwarders {
		if err := (Grant{For: patterns}).check(Forwarder); err != nil {
			return fmt.Errorf("serve HTTP: the forwarder %s: %w", name, err)
		}
	}
	for name, scope := range c.Scopes {
		if err := (Grant{Scope: scope}).check(Reader); err != nil {
			return fmt.Errorf("serve HTTP: the scope of %s: %w", name, err)
		}
	}
	return nil
}

// or is a scope, each half of which is another's where it says nothing.
func or(scope, other registry.Scope) registry.Scope {
	if len(scope.Collectives) == 0 {
		scope.Collectives = other.Collectives
	}
	if len(scope.Facts) == 0 {
		scope.Facts = other.Facts
	}
	return scope
}

// sights keeps scopes that have been read: there are as many as tokens and
// settings say.
type sights struct {
	mu    sync.Mutex
	known map[string]*registry.Sight
}

// of is nil for a scope that hides nothing.
func (s *sights) of(scope registry.Scope) (*registry.Sight, error) {
	if !scope.Limits() {
		return nil, nil
	}
	key, err := json.Marshal(scope)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sight := s.known[string(key)]; sight != nil {
		return sight, nil
	}
	sight, err := scope.Sight()
	if err != nil {
		return nil, err
	}
	if s.known == nil {
		s.known = map[string]*registry.Sight{}
	}
	s.known[string(key)] = sight
	return sight, nil
}
