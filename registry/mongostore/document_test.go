package mongostore

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/registry"
	"muster/registry/registrytest"
)

func TestEscape(t *testing.T) {
	for key, want := range map[string]string{
		"": `\e`, "os": "os", "eth0.100": "eth0．100", "$set": "＄set", "a$": "a＄", `\`: `\\`, `\e`: `\\e`,
		"．": `\．`, "＄": `\＄`, `\．`: `\\\．`, `\.`: `\\．`,
	} {
		if got := escape(key); got != want {
			t.Errorf("escape(%q) = %q, want %q", key, got, want)
		}
	}
}

// TestEscapeIsReversible, and leaves nothing that a server or a path could
// take for something else.
func TestEscapeIsReversible(t *testing.T) {
	law := func(key string) bool {
		e := escape(key)
		return unescape(e) == key && e != "" && e != numberKey && !strings.ContainsAny(e, ".$")
	}
	for _, key := range registrytest.HostileKeys() {
		if !law(key) {
			t.Errorf("%q became %q and that %q", key, escape(key), unescape(escape(key)))
		}
	}
	fromHostile := func(picks []uint8) bool {
		var key strings.Builder
		for _, p := range picks {
			key.WriteRune([]rune(`.$\．＄en`)[int(p)%7])
		}
		return law(key.String())
	}
	if err := quick.Check(fromHostile, nil); err != nil {
		t.Error(err)
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

// overTheWire is what a server would give back of a node's document.
func overTheWire(t *testing.T, n *registry.Node) (bson.Raw, document) {
	t.Helper()
	raw, err := bson.Marshal(documentOf(n))
	if err != nil {
		t.Fatal(err)
	}
	var back document
	if err := bson.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return raw, back
}

// TestDocumentKeepsEveryValue without a server.
func TestDocumentKeepsEveryValue(t *testing.T) {
	facts := registrytest.Values()
	for i, key := range registrytest.HostileKeys() {
		facts[key] = map[string]any{key: []any{int64(i)}}
	}
	at := time.UnixMilli(1700000000123).UTC()
	daemon := &registry.Section{Facts: facts, Received: at, Changed: at, Sequence: 1<<64 - 1, Interval: time.Minute, Hash: "h"}
	for name, sections := range map[string]map[registry.Source]*registry.Section{
		"one source":        {registry.Daemon: daemon},
		"two sources":       {registry.Daemon: daemon, registry.Import: {Facts: map[string]any{"zero": "other", "a": "b"}, Received: at}},
		"none with facts":   {registry.Catalog: {Classes: []string{"web"}, Received: at}},
		"trusted beside it": {registry.Daemon: daemon, registry.Trusted: {Facts: map[string]any{"pp_role.x": "db"}}},
	} {
		n := registry.NewNode("DB1", at, sections)
		_, back := overTheWire(t, &n)
		got, err := back.node()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if g, w := string(registry.AppendRecord(nil, &got)), string(registry.AppendRecord(nil, &n)); g != w {
			t.Errorf("%s\n got %s\nwant %s", name, g, w)
		}
	}
}

// TestDocumentHasTheAncestorsShape: names and types that its readers rely on.
func TestDocumentHasTheAncestorsShape(t *testing.T) {
	at := time.Unix(1394530856, 0).UTC()
	n := registry.NewNode("DB1.acme.example", at, map[registry.Source]*registry.Section{
		registry.Daemon: {
			Facts:   map[string]any{"fqdn": "db1.acme.example", "customer": "acme", "os": map[string]any{"family": "Debian"}},
			Classes: []string{"mysql::master"}, Agents: []string{"puppet"}, Collectives: []string{"acme", "mcollective"}, Received: at,
		},
	})
	raw, _ := overTheWire(t, &n)
	var got bson.D
	if err := bson.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := bson.D{
		{Key: "_id", Value: "db1.acme.example"},
		{Key: "fqdn", Value: "db1.acme.example"},
		{Key: "identity", Value: "DB1.acme.example"},
		{Key: "lastseen", Value: int64(1394530856)},
		{Key: "agentlist", Value: bson.A{"puppet"}},
		{Key: "classes", Value: bson.A{"mysql::master"}},
		{Key: "collectives", Value: bson.A{"acme", "mcollective"}},
		{Key: "facts", Value: bson.D{
			{Key: "customer", Value: "acme"}, {Key: "fqdn", Value: "db1.acme.example"},
			{Key: "os", Value: bson.D{{Key: "family", Value: "Debian"}}},
		}},
	}
	if !reflect.DeepEqual(got[:len(want)], want) {
		t.Errorf("document begins with\n%v\nwant\n%v", got[:len(want)], want)
	}
	sections := got[len(got)-1]
	if sections.Key != "sections" || strings.Contains(sections.Value.(bson.D).String(), "acme.example") {
		t.Errorf("the facts are kept twice: %v", sections)
	}
}

func TestFQDN(t *testing.T) {
	for want, facts := range map[string]map[string]any{
		"flat.example": {"fqdn": "flat.example", "networking": map[string]any{"fqdn": "x"}},
		"deep.example": {"networking": map[string]any{"fqdn": "deep.example"}},
		"db1":          {"fqdn": nil},
	} {
		n := registry.NewNode("db1", time.Time{}, map[registry.Source]*registry.Section{registry.Daemon: {Facts: facts}})
		if got := fqdn(&n); got != want {
			t.Errorf("fqdn of %v is %q, want %q", facts, got, want)
		}
	}
}

func TestDatabaseOf(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://h":                           "",
		"mongodb://h/":                          "",
		"mongodb://h/?replicaSet=a/b":           "",
		"mongodb://u:p%2Fq@h:1,i:2/fleet?tls=1": "fleet",
		"mongodb+srv://h/fleet":                 "fleet",
	} {
		if got := databaseOf(uri); got != want {
			t.Errorf("database of %s is %q, want %q", uri, got, want)
		}
	}
}

// TestOpenInWords: what can be wrong before any server has answered.
func TestOpenInWords(t *testing.T) {
	for uri, want := range map[string]string{
		"":                         "can not be read; want mongodb://",
		"http://u:secret@h":        "can not be read; want mongodb://",
		"mongodb://u:secret@%zz/x": "can not be read; want mongodb://",
		"mongodb://u:secret@127.0.0.1:1/?serverSelectionTimeoutMS=50": "connecting to MongoDB at 127.0.0.1:1: no server there can be reached",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		s, err := Open(ctx, Config{URI: uri, Log: slog.New(slog.DiscardHandler)})
		cancel()
		if err == nil {
			t.Errorf("%q was opened: %v", uri, s)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "topology") {
			t.Errorf("%q: error %q\nwant %q in it, and neither the password nor the driver's words", uri, err, want)
		}
	}
}
