package api

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"muster/registry"
)

// Role is what a principal may do. The table of routes says which roles each
// route serves; what it does not say is refused.
type Role string

// The roles there are.
const (
	Reader    Role = "reader"    // asks
	Operator  Role = "operator"  // asks, sees what was refused, acts on nodes
	Admin     Role = "admin"     // everything, registrations for any node too
	Forwarder Role = "forwarder" // a puppetserver: asks, and registers for any node
	NodeRole  Role = "node"      // reads and registers itself
	Neighbour Role = "registry"  // a registry that hears the same nodes: asks, and reads all that a backup holds
	Anyone    Role = "anyone"    // whoever reaches the port: no principal is needed
)

// Roles returns those that a principal can have.
func Roles() []Role { return []Role{Reader, Operator, Admin, Forwarder, NodeRole, Neighbour} }

// ParseRole returns the role of that name; the error lists the names.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("there is no role %q; there are %s", name, roleList())
}

func roleList() string {
	names := make([]string, 0, len(Roles()))
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// Principal is who asks.
type Principal struct {
	Name string
	Role Role

	// Auth is how the name was proven: "cert", "token NAME", or "open" where
	// nothing was asked for. A registration is kept with it.
	Auth string

	// For are patterns of the identities that a forwarder may speak for; empty:
	// any.
	For []string

	sight *registry.Sight   // what it may see; nil: everything
	cert  *x509.Certificate // what proves it; nil: no certificate does
}
