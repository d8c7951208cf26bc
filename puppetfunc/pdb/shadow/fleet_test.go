package shadow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/puppetfunc/pdb/shadow"
	"muster/registry"
	"muster/registry/index/indextest"
)

const (
	fleetSize = 500
	questions = 2000 // that PuppetDB answers; some take it too long
	asked     = 2150
	seed      = 1
)

// site is a server with PuppetDB's wire.
type site struct {
	base   string
	client *http.Client
}

// muster is a site of ours, with nothing in it.
func muster(t *testing.T) *site {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler), Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return &site{h.URL, h.Client()}
}

// feed sends a fleet as Puppet's servers would.
func (s *site) feed(t *testing.T) {
	t.Helper()
	at := time.Now().Add(-time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")
	for i := range fleetSize {
		n := indextest.Fleet{}.Node(i)
		facts := fmt.Sprintf(`{"certname":%q,"environment":%q,"producer":"p","producer_timestamp":%q,"values":%s}`, n.Identity, n.Facts["environment"], at, registry.AppendJSON(nil, n.Facts))
		s.command(t, "replace_facts", 5, n.Identity, facts)
		resources := []string{}
		for _, class := range n.Classes {
			resources = append(resources, fmt.Sprintf(`{"type":"Class","title":%q,"tags":["class"],"exported":false,"file":null,"line":null,"parameters":{}}`, title(class)))
		}
		catalog := fmt.Sprintf(`{"certname":%q,"environment":%q,"producer":"p","producer_timestamp":%q,"version":"1","transaction_uuid":null,"catalog_uuid":null,"code_id":null,"job_id":null,"edges":[],"resources":[%s]}`,
			n.Identity, n.Facts["environment"], at, strings.Join(resources, ","))
		s.command(t, "replace_catalog", 9, n.Identity, catalog)
	}
}

func title(class string) string {
	parts := strings.Split(class, "::")
	for i, part := range parts {
		parts[i] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "::")
}

func (s *site) command(t *testing.T, name string, version int, certname, body string) {
	t.Helper()
	query := url.Values{"command": {name}, "version": {fmt.Sprint(version)}, "certname": {certname}}
	if status, text := s.post(t, "/pdb/cmd/v1?"+query.Encode(), body); status != http.StatusOK {
		t.Fatalf("%s of %s was answered with %d %s", name, certname, status, text)
	}
}

func (s *site) post(t *testing.T, path, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, bytes.TrimSpace(text)
}

// ask returns the answer to a query, or its failure.
func (s *site) ask(t *testing.T, query string) ([]byte, error) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	status, text := s.post(t, "/pdb/query/v4", string(body))
	if status != http.StatusOK {
		return nil, fmt.Errorf("%d %s", status, text)
	}
	return text, nil
}

// nodes is what a site says of its fleet.
func (s *site) nodes(t *testing.T) map[string]*shadow.Node {
	t.Helper()
	inventory, err := s.ask(t, shadow.AskInventory)
	if err != nil {
		t.Fatal(err)
	}
	classes, err := s.ask(t, shadow.AskClasses)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := shadow.ReadNodes(inventory, classes)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// fleet is the nodes that questions are made from, in their order.
func fleet() []shadow.Node {
	nodes := make([]shadow.Node, fleetSize)
	for i := range nodes {
		n := indextest.Fleet{}.Node(i)
		nodes[i] = shadow.Node{Certname: n.Identity, Facts: n.Facts}
		for _, class := range n.Classes {
			nodes[i].Classes = append(nodes[i].Classes, title(class))
		}
	}
	return nodes
}
