package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// legacyConfig takes brokers, collectives and identity from an existing
// MCollective installation, so that a site that has one need not repeat itself.
func legacyConfig() (config, error) {
	for _, path := range []string{"/etc/mcollective/client.cfg", "/etc/mcollective/server.cfg"} {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return config{}, fmt.Errorf("reading %s: %w", path, err)
		}
		c, err := parseMCollective(text)
		if err != nil {
			return config{}, usageFault("settings file %s: %w", path, err)
		}
		c.BrokerLogin = "" // a login of ours is not MCollective's; the passcode stays unread
		return c, nil
	}
	return config{}, nil
}

// parseMCollective reads `key = value` lines. Its psk never switches psk on:
// only brokers, collectives and identity are taken.
func parseMCollective(text []byte) (config, error) {
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	c := config{Identity: values["identity"], MainCollective: values["main_collective"]}
	for name := range strings.SplitSeq(values["collectives"], ",") {
		if name = strings.TrimSpace(name); name != "" {
			c.Collectives = append(c.Collectives, name)
		}
	}
	connector := values["connector"]
	prefix := "plugin." + connector + ".pool."
	for i := 1; ; i++ {
		host := values[fmt.Sprintf("%s%d.host", prefix, i)]
		if host == "" {
			break
		}
		port := values[fmt.Sprintf("%s%d.port", prefix, i)]
		if port == "" {
			port = "61613"
		}
		scheme := "stomp"
		if values[fmt.Sprintf("%s%d.ssl", prefix, i)] == "1" {
			scheme = "stomp+ssl"
		}
		c.Brokers = append(c.Brokers, fmt.Sprintf("%s://%s:%s", scheme, host, port))
		c.BrokerLogin = values[fmt.Sprintf("%s%d.user", prefix, i)]
	}
	c.BrokerVhost = values["plugin."+connector+".vhost"]
	return c, nil
}
