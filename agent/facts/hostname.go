package facts

import (
	"bufio"
	"context"
	"net"
	"os"
	"strings"
	"time"
)

// HostName is the name of this host and its domain, in lower case, as
// `hostname -f` finds them: from the host's own name, the hosts file, then the
// resolver. The domain is empty where none is known; a resolver that is away
// costs a second, no more.
func HostName(ctx context.Context) (host, domain string) {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost", ""
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if host, domain, ok := strings.Cut(name, "."); ok {
		return host, domain
	}
	if f, err := os.Open("/etc/hosts"); err == nil {
		defer func() { _ = f.Close() }()
		if domain := domainInHosts(bufio.NewScanner(f), name); domain != "" {
			return name, domain
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	canonical, err := net.DefaultResolver.LookupCNAME(ctx, name)
	if err != nil {
		return name, ""
	}
	return name, domainOf(canonical, name)
}

// domainInHosts looks for a line that names the host, and takes the domain of
// its first name.
func domainInHosts(lines *bufio.Scanner, host string) string {
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) < 2 {
			continue
		}
		for _, name := range fields[1:] {
			if strings.EqualFold(name, host) {
				if domain := domainOf(fields[1], host); domain != "" {
					return domain
				}
			}
		}
	}
	return ""
}

// domainOf is what follows host and a dot in name; empty if name is another host's.
func domainOf(name, host string) string {
	domain, ok := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(name, ".")), host+".")
	if !ok {
		return ""
	}
	return domain
}
