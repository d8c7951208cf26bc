package registry

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// machine is what tells one machine from another; what is not known is empty.
type machine struct{ id, address string }

// machineIDs are the facts that tell which machine it is, the surest first.
var machineIDs = [...]string{"machine_id", "machineid", "dmi.product.uuid", "productuuid", "uuid"}

// machineAddresses are the facts that tell where it can be reached.
var machineAddresses = [...]string{"networking.ip", "ipaddress"}

// tellsOfMachine has the top-level names of those facts.
var tellsOfMachine = func() map[string]bool {
	names := map[string]bool{}
	for _, path := range slices.Concat(machineIDs[:], machineAddresses[:]) {
		name, _, _ := strings.Cut(path, ".")
		names[name] = true
	}
	return names
}()

// machineOf finds in facts which machine speaks.
func machineOf(facts map[string]any) machine {
	first := func(paths ...string) string {
		for _, path := range paths {
			var v any = facts
			for part := range strings.SplitSeq(path, ".") {
				m, _ := v.(map[string]any)
				v = m[part]
			}
			if s, ok := v.(string); ok && s != "" {
				return strings.Clone(strings.ToLower(s)) // facts are not to be kept for it
			}
		}
		return ""
	}
	m := machine{
		id:      first(machineIDs[:]...),
		address: first(machineAddresses[:]...),
	}
	if !tellsMachines(m.id) {
		m.id = ""
	}
	return m
}

// tellsMachines leaves out what firmware says when nobody gave it an id.
func tellsMachines(id string) bool {
	const least = 8
	digits := strings.ReplaceAll(id, "-", "")
	return len(digits) >= least && strings.Trim(digits, digits[:1]) != "" && digits != "03000200040005000006000700080009"
}

func (m machine) String() string {
	switch {
	case m.id == "":
		return "the one at " + cut(m.address, 60)
	case m.address == "":
		return "machine id " + cut(m.id, 60)
	}
	return fmt.Sprintf("machine id %s at %s", cut(m.id, 60), cut(m.address, 60))
}

// unlike reports whether two machines are certainly, or perhaps, not the same.
func (m machine) unlike(o machine) (certain, perhaps bool) {
	if m.id != "" && o.id != "" {
		return m.id != o.id, m.id != o.id
	}
	return false, m.address != "" && o.address != "" && m.address != o.address
}

// machines remembers who speaks as whom.
type machines struct {
	off    bool // which node has a machine's id is not remembered, since no memory holds all
	mu     sync.Mutex
	byID   map[string]Identity // who spoke first with a machine's id, or got it last as a new node
	claims map[string][]claim  // by identity, where more than one machine spoke as it
}

// claim is a machine that spoke as a node.
type claim struct {
	machine machine
	last    time.Time
}

// maxClaims is how many machines are told apart that speak as one node.
const maxClaims = 8

// claimed notes that a machine speaks as a node after another did, and returns
// the one that it collides with: one that did within the last interval and a
// half, and is certainly another, or took turns with it.
func (m *machines) claimed(key string, old, next claim, interval time.Duration) (machine, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list, known := m.claims[key]
	if !known {
		if _, perhaps := next.machine.unlike(old.machine); !perhaps {
			return machine{}, false
		}
		list = []claim{old}
	}
	again := slices.IndexFunc(list, func(c claim) bool { return c.machine == next.machine })
	if again >= 0 {
		list = slices.Delete(slices.Clone(list), again, again+1)
	}
	list = slices.DeleteFunc(slices.Clone(list), func(c claim) bool { return next.last.Sub(c.last) > 3*interval })
	if m.claims == nil {
		m.claims = map[string][]claim{}
	}
	if m.claims[key] = append(list[max(0, len(list)-maxClaims+1):], next); len(list) == 0 {
		delete(m.claims, key)
	}
	for _, c := range slices.Backward(list) {
		certain, perhaps := next.machine.unlike(c.machine)
		if next.last.Sub(c.last) <= interval*3/2 && (certain || perhaps && again >= 0) {
			return c.machine, true
		}
	}
	return machine{}, false
}

// knows notes which node has a machine's id. For a new node it returns the one
// that had it before.
func (m *machines) knows(id Identity, facts map[string]any, isNew bool) (before Identity, had bool) {
	machineID := machineOf(facts).id
	if machineID == "" || m.off {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID = map[string]Identity{}
	}
	before, had = m.byID[machineID]
	if !had || isNew {
		m.byID[machineID] = id
	}
	return before, had && isNew && before.Key() != id.Key()
}

// forget lets go of a node.
func (m *machines) forget(n *Node) {
	machineID := machineOf(n.Facts).id
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.claims, n.Identity.Key())
	if m.byID[machineID].Key() == n.Identity.Key() {
		delete(m.byID, machineID)
	}
}

// collided returns what a changed node is with the marks that its registration
// puts on it, or takes off.
func (r *Registry) collided(changed Node, old, next *Section, h *heard) Node {
	if old != nil && changed.Facts != nil {
		a, b := claim{machineOf(old.Facts), old.Received}, claim{machineOf(next.Facts), next.Received}
		if other, ok := r.claimed(changed.Head(), a, b); ok {
			pair := []string{other.String(), b.machine.String()}
			slices.Sort(pair)
			return changed.withCollision(next.Received, fmt.Sprintf("two machines register as this node: %s, and %s", pair[0], pair[1]))
		}
	}
	return r.settled(changed, next.Received, h)
}

// claimed notes which machine spoke as a node, and returns another one that does.
func (r *Registry) claimed(n *Head, old, next claim) (machine, bool) {
	return r.machines.claimed(n.Identity.Key(), old, next, n.interval(r.conf.Lifecycle.rule(n.Collectives)))
}

// settled takes off the marks that a node's registration disproves.
func (r *Registry) settled(n Node, now time.Time, h *heard) Node {
	if s := n.Sections[renamed]; s != nil {
		text := fmt.Sprintf("%s has the machine id of this node: one may be a copy of the other", s.Auth)
		n = n.without(renamed)
		return n.withCollision(now, text)
	}
	if s := n.Sections[collision]; s != nil {
		interval := n.Head().interval(r.conf.Lifecycle.rule(n.Collectives))
		if h.until(now).age(s.Received) >= 3*interval {
			return n.without(collision)
		}
	}
	return n
}

func (n *Node) withCollision(now time.Time, text string) Node {
	s := &Section{Changed: now, Received: now, Warnings: []string{text}}
	if old := n.Sections[collision]; old != nil {
		s.Changed = old.Changed
	}
	return n.with(collision, s)
}
