package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
	"muster/registry/boltstore"
)

// Whatever a fact is called, it is kept, found under that name alone, and the
// same after a restart.
func TestThreatT5HostileNamesOfFacts(t *testing.T) {
	names := []string{
		"dotted.key", "$where", "$dollar.$gt", "with space", "__proto__", "constructor", "prototype", "_id", "toString", "a'b", `a"b`, `a\b`, "a/b", "ä", "日本", "🦉",
		"%00", "..", ".", "*", "?", "<script>alert(1)</script>", "a\nb", "a\tb", "\u2028", "\u202e", "-oProxyCommand", "${jndi:ldap://x}", "and", "or", "not", "null", "0", "-1", strings.Repeat("k", registry.MaxPath),
	}
	path := filepath.Join(t.TempDir(), "nodes.db")
	open := func() *registry.Registry {
		store, err := boltstore.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), registry.Config{Store: store, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	facts := map[string]any{}
	for i, name := range names {
		facts[name] = fmt.Sprintf("v%d", i)
	}
	doc, err := json.Marshal(map[string]any{"identity": "mallory", "facts": facts})
	if err != nil {
		t.Fatal(err)
	}
	for turn := range 2 {
		h := serve(t, r)
		if turn == 0 {
			if a := send(t, h, "POST", "/v1/registrations", string(doc), nil); a.status != 200 || strings.Contains(a.text, "warnings") {
				t.Fatalf("answered %d %s", a.status, a.text)
			}
			long := fmt.Sprintf(`{"identity":"long","facts":{"nul\u0000":"x",%q:"x","kept":"x"}}`, strings.Repeat("k", 64<<10))
			if a := send(t, h, "POST", "/v1/registrations", long, nil); a.status != 400 && a.status != 200 {
				t.Errorf("what can not be kept answered %d %.200s", a.status, a.text)
			}
		}
		got, _ := get(t, h, "/v1/nodes/mallory").body["facts"].(map[string]any)
		for name, value := range facts {
			if got[name] != value {
				t.Errorf("%q is %v, want %v", name, got[name], value)
			}
			if strings.ContainsAny(name, "\n\t\u2028\u202e\"\\") || len(name) > 400 {
				continue // can not be written in a query: bound
			}
			q := url.Values{"q": {fmt.Sprintf("%q=?", name)}, "param": {"=" + value.(string)}}
			if a := get(t, h, "/v1/search?"+q.Encode()); a.status != 200 || a.body["count"] != 1.0 {
				t.Errorf("%q was not found: %d %.300s", name, a.status, a.text)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if turn == 0 {
			r = open()
		}
	}
}

// What two parsers could read differently is refused by both doors, and the
// victim's record stays.
func TestThreatT8WhatReadsTwoWaysIsRefused(t *testing.T) {
	c := newCastle(t, nil)
	forwarder := c.bears("puppet", api.Forwarder, api.Grant{For: []string{"mallory*"}})
	if status, text := c.send(c.bears("boss", api.Admin, api.Grant{}), "POST", "/v1/registrations", `{"identity":"victim","facts":{"a":1}}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	victim := c.record("victim")
	for _, body := range []string{
		`{"identity":"mallory","identity":"victim"}`, `{"identity":"victim","identity":"mallory"}`, `{"identity":"mallory","IDENTITY":"victim"}`,
		`{"identity":"mallory","Identity":"victim"}`, `{"identity":"mallory","\u0069dentity":"victim"}`, `{"identity":"mallory","facts":{"a":1,"a":2}}`,
		`{"identity":"mallory","facts":{"a":1},"Facts":{"a":2}}`, `{"identity":"mallory","facts":{"x":{"a":1,"\u0061":2}}}`, "{\"identity\":\"mallory\xff\"}",
		`{"identity":"mallory"}{"identity":"victim"}`, `{"identity":"mallory",}`, `{'identity':'mallory'}`, `{"identity":"mallory"} // x`, "\ufeff{\"identity\":\"mallory\"}",
		`{"identity":["mallory","victim"]}`, `{"identity":null}`, `{"identity":"mallory\u0000victim"}`, `{"identity":"mallory\nvictim"}`, `{"identity":"mallory","facts":{"n":0123}}`,
		`{"identity":"mallory","facts":{"n":NaN}}`, `{"identity":"mallory","facts":{"n":0x10}}`,
	} {
		if status, text := c.send(forwarder, "POST", "/v1/registrations", body); status != 400 {
			t.Errorf("%q answered %d %.300s", body, status, text)
		}
		if now := c.record("victim"); now != victim {
			t.Fatalf("%q changed the victim's record:\n%s\n%s", body, victim, now)
		}
	}
	if c.record("mallory") != "" {
		t.Errorf("something was kept: %s", c.record("mallory"))
	}
}

// A message that is sent again changes nothing, an older one is refused, and one
// from the future shuts nobody out.
func TestThreatT9ReplaysOverPuppetDB(t *testing.T) {
	c := newCastle(t, nil)
	puppet := c.bears("puppet", api.Forwarder, api.Grant{})
	say := func(at time.Time, turn string) int {
		stamp := at.UTC().Format("2006-01-02T15:04:05.000Z")
		target := "/pdb/cmd/v1?" + url.Values{"command": {"replace_facts"}, "version": {"5"}, "certname": {"web1"}, "producer-timestamp": {stamp}}.Encode()
		body := fmt.Sprintf(`{"certname":"web1","environment":"production","producer_timestamp":%q,"producer":"puppet","values":{"turn":%q}}`, stamp, turn)
		status, text := c.send(puppet, "POST", target, body)
		if status != 200 {
			t.Logf("%s", text)
		}
		return status
	}
	turn := func() string {
		n, _ := c.registry.Node("web1")
		return fmt.Sprint(n.Facts["turn"])
	}
	now := time.Now()
	for _, step := range []struct {
		at         time.Time
		said, want string
	}{
		{now, "one", "one"},
		{now, "one", "one"},                           // replayed
		{now.Add(-time.Hour), "older", "one"},         // delayed
		{now.Add(time.Second), "two", "two"},          // newer
		{now, "one", "two"},                           // replayed late
		{now.Add(1000 * time.Hour), "far", "two"},     // a clock that is off counts as now, which is before two
		{time.Now().Add(time.Minute), "next", "next"}, // and put right
	} {
		if status := say(step.at, step.said); status != 200 {
			t.Errorf("%s answered %d", step.said, status)
		}
		if got := turn(); got != step.want {
			t.Errorf("after %s the node says %s, want %s", step.said, got, step.want)
		}
	}
}

// Whatever goes wrong inside, no question is answered with 200 and less than
// there is.
func TestThreatT17NothingGoneWrongLooksEmpty(t *testing.T) {
	for _, err := range []error{errors.New("the store is gone"), registry.ErrLoading, context.DeadlineExceeded, context.Canceled} {
		h := serve(t, &fake{nodes: fleet(), err: err})
		for _, path := range []string{
			"/v1/search", "/v1/search?format=text", "/v1/search?format=ndjson&fields=*", "/v1/search?q=role=web+|+group+by+role", "/v1/facts", "/v1/classes", "/v1/facts/os",
			"/v1/missing", "/v1/complete?q=os=",
		} {
			a := get(t, h, path)
			if strings.HasPrefix(path, "/v1/complete") {
				continue // offers less, which nothing is decided by
			}
			if a.status < 400 || a.errorCode() == "" || a.head.Get("ETag") != "" {
				t.Errorf("%v: %s answered %d %s", err, path, a.status, a.text)
			}
		}
	}
	whole := get(t, serve(t, &fake{nodes: fleet()}), "/v1/search?format=text")
	if n := strings.Count(whole.text, "\n"); whole.head.Get("Muster-Count") != strconv.Itoa(n) || whole.head.Get("Muster-Complete") != "true" ||
		whole.head.Get("Content-Length") != strconv.Itoa(len(whole.text)) {
		t.Errorf("a whole answer can not be told from a short one: %v", whole.head)
	}
}

// The registry stops while it is asked: an answer is whole, or it is none.
func TestThreatT17StoppedWhileAsked(t *testing.T) {
	f := &fake{nodes: fleet(), pause: true, entered: make(chan struct{}, 1)}
	h := serveConfig(t, api.Config{Registry: f, Open: true, Deadline: time.Second})
	answers := make(chan answer, 1)
	go func() { answers <- get(t, h, "/v1/search?format=text") }()
	<-f.entered
	if a := <-answers; a.status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %q", a.status, a.text)
	}
}
