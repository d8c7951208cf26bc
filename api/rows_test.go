package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"muster/registry"
)

func threeNodes(t *testing.T) *httptest.Server {
	return serve(t, realRegistry(t,
		registry.Registration{Identity: "a.net", Source: registry.Import, Auth: "token t", Facts: map[string]any{"site": "ams", "cpus": int64(2)}},
		registry.Registration{Identity: "b.net", Source: registry.Import, Auth: "token t", Facts: map[string]any{"site": "ams", "cpus": int64(4)}},
		registry.Registration{Identity: "c.net", Source: registry.Import, Auth: "token t", Facts: map[string]any{"site": "fra", "cpus": int64(8)}},
	))
}

// A query that asks for groups or for rows of facts is answered in rows.
func TestSearchForRows(t *testing.T) {
	h := threeNodes(t)
	for q, want := range map[string]string{
		"exists site | group by site count(), sum(cpus) | order by site":             `{"count":2,"complete":true,"warnings":[],"columns":["site","count","sum"],"rows":[["ams",2,6],["fra",1,8]]}`,
		"inventory[facts.site, count()] { group by facts.site order by facts.site }": `{"count":2,"complete":true,"warnings":[],"columns":["facts.site","count"],"rows":[["ams",2],["fra",1]]}`,
	} {
		if a := get(t, h, "/v1/search?q="+url.QueryEscape(q)); a.status != http.StatusOK || a.text != want+"\n" {
			t.Errorf("%s answered %d\n%s\nwant\n%s", q, a.status, a.text, want)
		}
	}
	if a := get(t, h, "/v1/search?fields=cpus&q="+url.QueryEscape("all | group by site count()")); a.status != http.StatusBadRequest {
		t.Errorf("fields beside groups answered %d %s", a.status, a.text)
	}
}

// Completion knows the names and values that nodes have.
func TestComplete(t *testing.T) {
	h := threeNodes(t)
	for q, want := range map[string]string{
		"si":           `{"start":0,"candidates":["site"`,
		"site = ":      `{"start":7,"candidates":["ams","fra"`,
		"cpus>2 and ":  `{"start":11,"candidates":["cpus","site"`,
		"(cpus > 2 an": `{"start":10,"candidates":["and"`,
	} {
		a := get(t, h, "/v1/complete?q="+url.QueryEscape(q))
		if a.status != http.StatusOK || len(a.text) < len(want) || a.text[:len(want)] != want {
			t.Errorf("%q completes to %d %s, want %s…", q, a.status, a.text, want)
		}
	}
	if a := get(t, h, "/v1/complete?q=si&offset=9"); a.status != http.StatusBadRequest {
		t.Errorf("an offset behind the text answered %d %s", a.status, a.text)
	}
}
