package boltstore_test

import (
	"path/filepath"
	"testing"

	"muster/registry"
	"muster/registry/boltstore"
)

// What certificates and catalogs say of a node stays when its daemon's facts move
// or change, whether that is known without being decoded or not.
func TestWhatOthersSayStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	opened := func() *registry.Registry {
		t.Helper()
		store, err := boltstore.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), registry.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := opened()
	for i, body := range []string{
		`{"facts":{"os":"a","role":"web","uptime":1}}`, `{"facts":{"os":"a","role":"web","uptime":2}}`, `{"facts":{"os":"b","role":"web","uptime":2}}`, `{"facts":{"os":"b","role":"web","uptime":3}}`,
	} {
		proven := registry.Registration{Identity: "db1", Auth: "cert", Body: []byte(body)}
		_, known, err := r.Repeated(t.Context(), proven)
		if err != nil || known != (i > 0) {
			t.Fatalf("%s: known %v, %v", body, known, err)
		}
		if !known {
			reg, err := registry.DecodeRegistration(proven.Body)
			if err != nil {
				t.Fatal(err)
			}
			reg.Identity, reg.Auth, reg.Body = proven.Identity, proven.Auth, proven.Body
			if _, err := r.Register(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			if err := r.Trust(t.Context(), registry.Registration{Identity: "db1", Auth: "cert", Facts: map[string]any{"pp_role": "db"}}); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Source: registry.Catalog, Auth: "forwarder p", Classes: []string{"mysql"}}); err != nil {
				t.Fatal(err)
			}
		}
		n, _ := r.Node("db1")
		if n.Trusted["pp_role"] != "db" || len(n.Classes) != 1 || n.Facts["role"] != "web" || n.Facts["os"] != string("aabb"[i]) || n.Facts["uptime"] != []any{int64(1), int64(2), int64(2), int64(3)}[i] {
			t.Fatalf("after %s the node is %+v", body, n)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = opened()
	defer r.Close()
	if n, _ := r.Node("db1"); n.Trusted["pp_role"] != "db" || len(n.Classes) != 1 || n.Facts["os"] != "b" {
		t.Errorf("after a restart the node is %+v", n)
	}
}
