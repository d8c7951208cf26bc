package pdb

import (
	"crypto/sha1" //nolint:gosec // what PuppetDB's clients send; it guards against accidents only
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/registry"
)

// Command is what a Puppet server says about one node.
type Command struct {
	Name     string // "replace facts", "replace catalog", "store report", "deactivate node", or what is not held here
	Version  int
	Certname string
	Produced time.Time // by the sender's clock; zero: not told

	// Registrations are what it says of the node, each from a source of its own.
	// Whoever stores them says how the identity was proven. None: the command
	// says nothing that is held here.
	Registrations []registry.Registration

	payload []byte
	body    []byte // what is registered, for those who know it again
}

// The commands that are held here.
const (
	ReplaceFacts   = "replace facts"
	ReplaceCatalog = "replace catalog"
	StoreReport    = "store report"
	DeactivateNode = "deactivate node"
)

// versions are those that are understood of the commands that are held.
var versions = map[string][]int{
	ReplaceFacts:   {4, 5},
	ReplaceCatalog: {6, 7, 8, 9},
	StoreReport:    {5, 6, 7, 8},
	DeactivateNode: {1, 2, 3},
}

// Held reports whether the command is one that says something of a node which
// is held here. The others are accepted, and forgotten.
func (c *Command) Held() bool { return versions[c.Name] != nil }

// Decode understands a command: its name, version, certname, checksum and
// producer-timestamp are query parameters and body is the payload, or body is
// the whole command, as older clients send it. The error is a
// [*registry.Refusal], not recorded yet, with the certname if that is known.
func Decode(query url.Values, body []byte) (*Command, error) {
	c, err := Open(query, body)
	if err == nil {
		err = c.Read()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Open is Decode without [Command.Read]: what the command says of the node is not
// known yet, and its name may not be either. It keeps body, which must not change.
func Open(query url.Values, body []byte) (*Command, error) {
	c := &Command{Certname: query.Get("certname")}
	var err error
	if c.payload, err = c.unwrap(query, body); err != nil {
		return nil, err
	}
	if err := c.checksum(query.Get("checksum"), body); err != nil {
		return nil, err
	}
	if known := versions[c.Name]; c.Held() && !slices.Contains(known, c.Version) {
		return nil, c.refuse(registry.ReasonMalformed, "version %d of %q is not understood here, only %s", c.Version, c.Name, listed(known))
	}
	return c, nil
}

// Read finds out what a command says. The error is as that of [Decode].
func (c *Command) Read() error {
	if !c.Held() {
		return nil
	}
	c.Registrations = nil
	if err := c.read(c.payload); err != nil {
		return err
	}
	for i := range c.Registrations {
		c.date(&c.Registrations[i])
	}
	return nil
}

// date says in a registration of whom it is, and of when.
func (c *Command) date(reg *registry.Registration) {
	reg.Identity, reg.Sent = c.Certname, c.Produced
	if !c.Produced.IsZero() {
		reg.Sequence = uint64(max(1, c.Produced.UnixNano()))
	}
}

// unwrap finds out which command it is, and returns its payload.
func (c *Command) unwrap(query url.Values, body []byte) ([]byte, error) {
	if !query.Has("command") {
		return c.whole(body)
	}
	c.Name = plainName(query.Get("command"))
	var err error
	if c.Version, err = strconv.Atoi(query.Get("version")); err != nil {
		return nil, c.refuse(registry.ReasonMalformed, "the parameter version is %q, not a whole number", cut(query.Get("version")))
	}
	if c.Certname == "" {
		return nil, c.refuse(registry.ReasonIdentity, "the parameter certname is not there: a command is about one node")
	}
	if text := query.Get("producer-timestamp"); text != "" {
		if c.Produced, err = moment(text); err != nil {
			return nil, c.refuse(registry.ReasonMalformed, "the parameter producer-timestamp: %v", err)
		}
	}
	return body, nil
}

// whole reads {"command":"replace facts","version":5,"payload":{…}}.
func (c *Command) whole(body []byte) (payload []byte, err error) {
	s := registry.ReadStrict(body)
	err = s.Object("a command", func(key string) error {
		switch key {
		case "command":
			name, err := s.Text(key)
			c.Name = plainName(name)
			return err
		case "version":
			v, err := s.Value()
			if n, ok := v.(int64); ok {
				c.Version = int(min(n, 1<<30))
			}
			return err
		case "payload":
			payload, err = s.Raw()
			return err
		}
		return s.Skip()
	})
	if err == nil {
		err = s.End()
	}
	switch {
	case err != nil:
		return nil, s.Refuse(c.Certname, err)
	case c.Name == "" || payload == nil:
		return nil, c.refuse(registry.ReasonMalformed, "this is no command: name it with the parameters command, version and certname, or send command, version and payload as JSON")
	}
	return payload, nil
}

// checksum compares what was announced with what came: the SHA-1 of the body,
// or, as Puppet's servers have it, of the command as older clients would send it.
func (c *Command) checksum(announced string, body []byte) error {
	if announced == "" || strings.EqualFold(announced, sum(body)) {
		return nil
	}
	older := fmt.Appendf(nil, `{"command":%q,"version":%d,"certname":%q,"payload":`, c.Name, c.Version, c.Certname)
	if strings.EqualFold(announced, sum(older, body, []byte("}"))) {
		return nil
	}
	return c.refuse(registry.ReasonMalformed, "the body is not what its checksum says: it was cut or changed on its way")
}

func sum(parts ...[]byte) string {
	h := sha1.New() //nolint:gosec // see the import
	for _, part := range parts {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// named takes a payload's certname, which must be the one that was announced.
func (c *Command) named(certname string) error {
	switch {
	case certname == "":
		return c.refuse(registry.ReasonIdentity, "the payload has no certname")
	case c.Certname == "":
		c.Certname = certname
	case !strings.EqualFold(c.Certname, certname):
		return c.refuse("wrong_sender", "the command is announced for %q, and its payload is about %q", cut(c.Certname), cut(certname))
	}
	return nil
}

func (c *Command) refuse(reason, format string, args ...any) error {
	return &registry.Refusal{Identity: c.Certname, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// plainName is a command's name as it is written: clients send _ for a blank.
func plainName(name string) string { return strings.ReplaceAll(name, "_", " ") }

// moment reads a time as PuppetDB's clients write it.
func moment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999Z0700", text)
	}
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return time.Time{}, fmt.Errorf("%q is no time such as 2026-11-20T08:28:13.257Z", cut(text))
	}
	return t.UTC(), nil
}

func listed(numbers []int) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

// cut bounds what a stranger makes us show.
func cut(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
