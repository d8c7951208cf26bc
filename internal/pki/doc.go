// Package pki is muster's small built-in certificate authority: it makes the
// certificates that seal messages and serve HTTPS, for sites that do not use
// Puppet's.
//
// The registry has an [Authority] and prints a join line; a node or an
// operator joins with it and keeps a [KeyPair]:
//
//	authority, err := pki.OpenAuthority("/var/lib/muster/ca", time.Now)
//	token, err := authority.CreateToken(pki.TokenSpec{Pattern: "*.acme.net"})
//	fmt.Println(authority.JoinLine("https://registry.acme.net:8280", token))
//	...
//	line, err := pki.ParseJoinLine(text)
//	pair, err := pki.Join(ctx, line, "web1.acme.net", "/var/lib/muster/agent")
//
// A certificate names its holder in its CN (a name of more than 64 characters
// in its DNS name instead) and the holder's [Role] in an extension. The CA and
// what serves TLS have P-256 keys, because browsers and Java do not take
// Ed25519 there; nodes and operators have Ed25519 keys.
//
// Every private file has mode 0600, and no crash leaves half of one.
package pki
