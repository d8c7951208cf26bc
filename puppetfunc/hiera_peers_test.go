//go:build peers

package puppetfunc_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"muster/api"
)

const hieraYAML = `version: 5
hierarchy:
  - name: queries
    lookup_key: muster::hiera
    options:
      queries:
        masters: mysql::master
        peers: { query: 'customer=? mysql::master', params: ['%{customer}'], return: networking.ip, expect: some }
        nobody: customer=nobody
        wrong: { query: 'customer=acme', retrn: fqdn }
  - name: server
    lookup_key: muster::hiera
    options:
      node: '%{certname}'
`

// lookup() in the real Puppet: queries of hiera.yaml, and the server's data of a
// node; what is in neither goes on.
func TestHieraLookups(t *testing.T) {
	t.Parallel()
	s, err := api.New(api.Config{
		Registry: fleet(t), Open: true, Log: slog.New(slog.DiscardHandler),
		Hiera: map[string]api.HieraKey{"neighbours": {Query: "customer=$c", Bind: map[string]string{"c": "facts.customer"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/hiera/") {
			asked.Add(1)
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	p := newPuppet(t, "server: "+h.URL+"\ncache: {fresh: 0}\n")
	hiera := p.write(t, "hiera.yaml", hieraYAML)
	lookup := func(code string) (string, string, int) {
		return p.applyWith(t, []string{"--hiera_config", hiera}, `$customer = 'acme' $certname = 'db1.acme.net' `+code)
	}
	out, complaint, status := lookup(`['masters', 'peers', 'nobody', 'neighbours', 'muster::facts', 'muster::identity'].each |$key| { notice(lookup($key)) }
notice(lookup('elsewhere', { 'default_value' => 'dflt' })) notice(lookup('muster::facts.networking.mtu') + 1)`)
	want := []string{
		"[db1.acme.net, db1.zenith.net, db2.acme.net]", "[10.0.0.1, 10.0.0.3]", "[]", "[db1.acme.net, db2.acme.net, web1.acme.net]",
		"{customer => acme, environment => development, networking => {ip => 10.0.0.1, mtu => 1500}, rack => 7}", "db1.acme.net", "dflt", "1501",
	}
	if got := notices(out); status != 0 || !slices.Equal(got, want) {
		t.Errorf("status %d\n%s\nwant\n%s\n%s", status, strings.Join(got, "\n"), strings.Join(want, "\n"), complaint)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the server was asked for the node's data %d times for one catalog", n)
	}
	if _, complaint, status := lookup(`lookup('wrong')`); status != 1 || !strings.Contains(complaint, "unrecognized key 'retrn'") {
		t.Errorf("a mistake in hiera.yaml: status %d\n%s", status, complaint)
	}
	h.Close()
	for _, key := range []string{"masters", "neighbours"} {
		if out, complaint, status := lookup(`notice(lookup('` + key + `', { 'default_value' => 'dflt' }))`); status != 1 || len(notices(out)) > 0 || !strings.Contains(complaint, "no server answered") {
			t.Errorf("%s without the server: status %d, %q\n%s", key, status, notices(out), complaint)
		}
	}
}
