package pdb_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/puppetfunc/pdb"
	"muster/registry"
)

// Facts that are skimmed leave a node as reading and registering them does,
// whatever differs from what was said before; and what moves all the time is known
// without being read, also where catalogs and reports speak of the node.
func TestSkimmedOrReadTheNodeIsTheSame(t *testing.T) {
	known := 0
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		opened := func() *registry.Registry {
			r, err := registry.Open(t.Context(), registry.Config{Now: func() time.Time { return at }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close() })
			return r
		}
		quick, slow := opened(), opened()
		few := rapid.IntRange(0, 1)
		for range rapid.IntRange(2, 16).Draw(t, "commands") {
			at = at.Add(time.Minute)
			name, payload := "replace_facts", ""
			switch rapid.IntRange(0, 6).Draw(t, "command") {
			case 0:
				name, payload = "replace_catalog", fmt.Sprintf(`"resources":[{"type":"Class","title":"C%d"}]`, few.Draw(t, "class"))
			case 1:
				name, payload = "store_report", fmt.Sprintf(`"status":"changed","end_time":%q`, at.Format(time.RFC3339))
			default:
				values := fmt.Sprintf(`"os":"v%d","uptime":%d,"memory":{"system":{"used":%d}},"gr\u00fc\"n":1`,
					few.Draw(t, "os")*few.Draw(t, "os again"), rapid.IntRange(0, 50).Draw(t, "uptime"), few.Draw(t, "used"))
				if rapid.IntRange(0, 4).Draw(t, "odd") == 0 {
					values += rapid.SampledFrom([]string{`,"last_run":{"status":"mine"}`, `,"environment":"own"`, `,"uptime":1`, `,"x":"AKIAABCDEFGHIJKLMNOP"`, `,"y":tru`, `,"trusted":1`}).Draw(t, "more")
				}
				values += rapid.SampledFrom([]string{`,"trusted":{"certname":"db1","extensions":{"pp_role":"a"}}`, `,"trusted":{"certname":"db1","extensions":{"pp_role":"b"}}`}).Draw(t, "trusted")
				payload = fmt.Sprintf(`"environment":"e%d","producer_timestamp":%q,"values":{%s}`, few.Draw(t, "environment")*few.Draw(t, "again"), at.Format(time.RFC3339Nano), values)
			}
			version := map[string]string{"replace_facts": "5", "replace_catalog": "9", "store_report": "8"}[name]
			query, body := params(name, version, "db1"), []byte(`{"certname":"db1",`+payload+`}`)
			read, failed := pdb.Decode(query, body)

			cmd, err := pdb.Open(query, body)
			if err != nil {
				t.Fatal(err)
			}
			taken := false
			if reg, ok := cmd.Skim(); ok {
				if failed != nil {
					t.Fatalf("%s was skimmed, and can not be read: %v", body, failed)
				}
				reg.Auth = "forwarder p"
				said := reg.Trusted
				reg.Trusted = nil
				if _, taken, err = quick.Repeated(t.Context(), reg); err != nil {
					t.Fatal(err)
				}
				if taken && said != nil {
					reg.Facts = said
					if err := quick.Trust(t.Context(), reg); err != nil {
						t.Fatal(err)
					}
				}
			}
			if failed != nil {
				continue
			}
			if taken {
				known++
			} else {
				if err := cmd.Read(); err != nil {
					t.Fatal(err)
				}
				store(t, quick, cmd, true)
			}
			store(t, slow, read, false)
			a, _ := quick.Node("db1")
			b, _ := slow.Node("db1")
			if got, want := string(registry.AppendRecord(nil, &a)), string(registry.AppendRecord(nil, &b)); got != want {
				t.Fatalf("skimmed, it is\n%s\nread\n%s", got, want)
			}
			for _, path := range []string{"uptime", "memory.system.used", "os", "environment", "last_run.status"} {
				a, err := quick.Histogram(t.Context(), registry.Discovery{}, path)
				if err != nil {
					t.Fatal(err)
				}
				b, err := slow.Histogram(t.Context(), registry.Discovery{}, path)
				if got, want := fmt.Sprint(a), fmt.Sprint(b); err != nil || got != want {
					t.Fatalf("%s: %s, %v; want %s", path, got, err, want)
				}
			}
		}
	})
	if known < 20 {
		t.Errorf("only %d commands were known", known)
	}
}

func store(t *rapid.T, r *registry.Registry, c *pdb.Command, bodies bool) {
	t.Helper()
	for _, reg := range c.Registrations {
		reg.Auth = "forwarder p"
		if !bodies {
			reg.Body = nil
		}
		said := reg.Trusted
		reg.Trusted = nil
		_, err := r.Register(t.Context(), reg)
		if err == nil && said != nil {
			reg.Facts = said
			err = r.Trust(t.Context(), reg)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is said again is said in the same words, whenever and by whomever.
func TestSkimmedFactsAreTheSame(t *testing.T) {
	skim := func(payload string) registry.Registration {
		t.Helper()
		cmd, err := pdb.Open(params("replace_facts", "5", "db1"), []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		reg, ok := cmd.Skim()
		if !ok || !json.Valid(reg.Body) {
			t.Fatalf("%s is skimmed as %s, %v", payload, reg.Body, ok)
		}
		return reg
	}
	first := skim(`{"certname":"db1","environment":"e","producer":"p1","producer_timestamp":"2026-11-27T12:00:00Z","timestamp":"x","values":{"a":1,"trusted":{"b":2},"c":[1, 2]}}`)
	again := skim(`{"producer":"p2","timestamp":"y","values":{"a":1,"c":[1, 2],"trusted":{"b":3}},"certname":"db1","producer_timestamp":"2026-11-27T13:00:00Z","environment":"e"}`)
	if string(first.Body) != string(again.Body) || string(first.Body) != `{"facts":{"a":1,"c":[1, 2]},"environment":"e"}` {
		t.Errorf("skimmed as\n%s\nand\n%s", first.Body, again.Body)
	}
	if first.Trusted["b"] != int64(2) || again.Trusted["b"] != int64(3) || !again.Sent.After(first.Sent) || first.Identity != "db1" {
		t.Errorf("skimmed as %+v and %+v", first, again)
	}
	for _, payload := range []string{
		`{"certname":"db2","values":{}}`, `{"values":{}}`, `{"certname":"db1","values":{"a":1,"a":2}}`, `{"certname":"db1","values":[]}`, `{"certname":"db1","values":{}} x`,
		`{"certname":"db1","values":{"a":tru}}`, `{"certname":"db1","producer_timestamp":"x","values":{}}`, `{"certname":"db1","values":{"a":1}`,
	} {
		cmd, err := pdb.Open(params("replace_facts", "5", "db1"), []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if reg, ok := cmd.Skim(); ok {
			t.Errorf("%s is skimmed as %s", payload, reg.Body)
		}
	}
}
