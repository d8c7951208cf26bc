// Package pdb speaks PuppetDB's wire: it understands the commands that Puppet
// servers send, and gives answers the shape that PuppetDB's clients expect.
//
//	c, err := pdb.Decode(request.URL.Query(), body)
//	for _, reg := range c.Registrations {
//		reg.Auth = "forwarder puppet1.acme.net"
//		_, err = r.Register(ctx, reg)
//	}
//
// Of a catalog it keeps the names of its classes: parameters, which may be
// secrets, are passed over unread. It knows no HTTP, and stores nothing.
package pdb
