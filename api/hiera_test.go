package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"muster/api"
	"muster/registry"
)

func hieraServer(t *testing.T, c api.Config) *httptest.Server {
	t.Helper()
	facts := func(customer, ip string) map[string]any {
		return map[string]any{"customer": customer, "networking": map[string]any{"ip": ip}}
	}
	c.Registry = realRegistry(t,
		registry.Registration{Identity: "db1", Auth: "cert", Facts: facts("acme", "10.0.0.1"), Classes: []string{"galera"}},
		registry.Registration{Identity: "db2", Auth: "cert", Facts: facts("acme", "10.0.0.2"), Classes: []string{"galera"}},
		registry.Registration{Identity: "db3", Auth: "cert", Facts: facts("zenith", "10.0.0.3"), Classes: []string{"galera"}},
		registry.Registration{Identity: "mallory", Auth: "cert", Facts: map[string]any{"customer": "acme or identity=/./"}},
		registry.Registration{Identity: "db2", Source: registry.Catalog, Auth: "forwarder p", Classes: []string{"galera"}},
	)
	c.Hiera = map[string]api.HieraKey{
		"galera::peers":    {Query: "customer = $customer and class = galera", Bind: map[string]string{"customer": "facts.customer"}},
		"galera::ips":      {Query: "class = galera", Return: "networking.ip"},
		"galera::compiled": {Query: "class = galera", Compiled: true},
		"all::ips":         {Query: "identity = /./", Return: "networking.ip"},
		"me":               {Query: "identity = $me", Bind: map[string]string{"me": "identity"}},
	}
	return serveConfig(t, c)
}

func TestHiera(t *testing.T) {
	h := hieraServer(t, api.Config{Open: true})
	own := func(name, customer, ip, classes string) string {
		return fmt.Sprintf(`"muster::classes":[%s],"muster::collectives":["mcollective"],"muster::facts":{"customer":%q,"networking":{"ip":%q}},"muster::identity":%q,"muster::trusted":{}}`,
			classes, customer, ip, name)
	}
	for name, want := range map[string]string{
		"db1": `{"galera::compiled":["db2"],"galera::ips":["10.0.0.1","10.0.0.2","10.0.0.3"],"galera::peers":["db1","db2"],"me":["db1"],` + own("db1", "acme", "10.0.0.1", `"galera"`),
		"db3": `{"galera::compiled":["db2"],"galera::ips":["10.0.0.1","10.0.0.2","10.0.0.3"],"galera::peers":["db3"],"me":["db3"],` + own("db3", "zenith", "10.0.0.3", `"galera"`),
		// What needs the node's facts is not there, rather than empty.
		"nobody": `{"galera::compiled":["db2"],"galera::ips":["10.0.0.1","10.0.0.2","10.0.0.3"],"me":[]}`,
	} {
		if a := get(t, h, "/v1/hiera/"+name); a.status != http.StatusOK || strings.TrimSpace(a.text) != want {
			t.Errorf("%s answered %d\n%s\nwant\n%s", name, a.status, a.text, want)
		}
	}
	// A fact that reads as a query is a value, and no more.
	if a := get(t, h, "/v1/hiera/mallory"); !strings.Contains(a.text, `"galera::peers":[]`) {
		t.Errorf("mallory has %s", a.text)
	}
	for _, path := range []string{"/v1/hiera/a%20b", "/v1/hiera/db1?x=1"} {
		if a := get(t, h, path); a.status != http.StatusBadRequest {
			t.Errorf("%s answered %d %s", path, a.status, a.text)
		}
	}
}

func TestHieraAnswersWithATag(t *testing.T) {
	h := hieraServer(t, api.Config{Open: true})
	tag := get(t, h, "/v1/hiera/db1").head.Get("ETag")
	if a := send(t, h, "GET", "/v1/hiera/db1", "", http.Header{"If-None-Match": {tag}}); tag == "" || a.status != http.StatusNotModified {
		t.Errorf("with %s it answered %d", tag, a.status)
	}
}

// A node reads its own data, keys that show others too, and nobody else's.
func TestHieraOfANode(t *testing.T) {
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	h := hieraServer(t, api.Config{Tokens: tokens})
	secret, err := tokens.Create("db1", api.NodeRole, 0)
	if err != nil {
		t.Fatal(err)
	}
	head := http.Header{"Authorization": {"Bearer " + secret}}
	if a := send(t, h, "GET", "/v1/hiera/db1", "", head); a.status != http.StatusOK || !strings.Contains(a.text, `"galera::peers":["db1","db2"]`) {
		t.Errorf("its own answered %d %s", a.status, a.text)
	}
	if a := send(t, h, "GET", "/v1/hiera/db2", "", head); a.status != http.StatusForbidden {
		t.Errorf("another's answered %d %s", a.status, a.text)
	}
}

func TestHieraKeysAreChecked(t *testing.T) {
	for says, k := range map[string]struct {
		key string
		is  api.HieraKey
	}{
		`the key "a" of Hiera: `:         {"a", api.HieraKey{Query: "customer ="}},
		"$other":                         {"a", api.HieraKey{Query: "customer = $other"}},
		"no list of nodes":               {"a", api.HieraKey{Query: "customer=x | group by site count()"}},
		"begin with muster:: are muster": {"muster::x", api.HieraKey{Query: "a=b"}},
	} {
		_, err := api.New(api.Config{Registry: realRegistry(t), Hiera: map[string]api.HieraKey{k.key: k.is}, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s %+v: %v, want %q", k.key, k.is, err, says)
		}
	}
}
