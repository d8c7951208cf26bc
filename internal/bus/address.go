package bus

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// address is one broker, as a URI names it.
type address struct {
	hostPort        string
	host            string
	tls             bool
	vhost           string // empty: the configured one
	login, passcode string // empty: the configured ones
}

// parseAddress reads stomp://HOST[:PORT][/VHOST] and stomp+ssl://…; the ports
// are 61613 and 61614 unless given. A virtual host is written as in AMQP's
// URIs: /mcollective is "mcollective", /%2Fmcollective is "/mcollective".
func parseAddress(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return address{}, fmt.Errorf("broker %q: an address looks like stomp://HOST:PORT or stomp+ssl://HOST:PORT", hidePasscode(text))
	}
	a := address{host: u.Hostname()}
	port := "61613"
	switch u.Scheme {
	case "stomp":
	case "stomp+ssl":
		a.tls, port = true, "61614"
	default:
		return address{}, fmt.Errorf("broker %q: %s is not a scheme for brokers: it is stomp or stomp+ssl", hidePasscode(text), u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	a.hostPort = net.JoinHostPort(a.host, port)
	if path := strings.TrimPrefix(u.EscapedPath(), "/"); path != "" {
		if a.vhost, err = url.PathUnescape(path); err != nil {
			return address{}, fmt.Errorf("broker %q: the virtual host is not well escaped", hidePasscode(text))
		}
	}
	if u.User != nil {
		a.login = u.User.Username()
		a.passcode, _ = u.User.Password()
	}
	return a, nil
}

// hidePasscode cuts out what stands before an @, well formed or not.
func hidePasscode(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "…" + rest[at:]
	}
	if !ok {
		return rest
	}
	return scheme + "://" + rest
}

// String is the address as people may see it: without login and passcode.
func (a address) String() string {
	if a.tls {
		return "stomp+ssl://" + a.hostPort
	}
	return "stomp://" + a.hostPort
}
