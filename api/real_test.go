package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/api"
	"muster/registry"
)

// realRegistry is a registry in memory with some nodes in it.
func realRegistry(tb testing.TB, nodes ...registry.Registration) *registry.Registry {
	tb.Helper()
	r, err := registry.Open(tb.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	for _, n := range nodes {
		if _, err := r.Register(tb.Context(), n); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

// What is registered over HTTP is found over HTTP.
func TestFromRegistrationToSearch(t *testing.T) {
	h := serve(t, realRegistry(t))
	body := `{"identity":"db1.acme.net","facts":{"customer":"acme","big":12345678901234567890,"os":{"family":"Debian"}},"classes":["mysql::master"],"agents":["nrpe"]}
{"identity":"web1.acme.net","facts":{"customer":"acme"},"classes":["apache"],"collectives":["eu"]}
`
	if a := send(t, h, "POST", "/v1/registrations", body, http.Header{"Content-Type": {"application/x-ndjson"}}); a.status != http.StatusOK {
		t.Fatalf("answered %d %s", a.status, a.text)
	}
	for query, want := range map[string][]string{
		"q=" + url.QueryEscape("customer=acme mysql::master"):                          {"db1.acme.net"},
		"q=" + url.QueryEscape(`{'facts.customer': 'acme', classes: 'mysql::master'}`): {"db1.acme.net"},
		"q=" + url.QueryEscape(`inventory[certname] { facts.customer = 'acme' }`):      {"db1.acme.net", "web1.acme.net"},
		"q=" + url.QueryEscape(`["=", ["fact", "customer"], "acme"]`) + "&dialect=ast": {"db1.acme.net", "web1.acme.net"},
		"class=/apache/&identity=/web/":                                                {"web1.acme.net"},
		"fact=os.family%3DDebian&agent=nrpe":                                           {"db1.acme.net"},
		"collective=eu":                                                                {"web1.acme.net"},
	} {
		a := get(t, h, "/v1/search?"+query)
		if a.status != http.StatusOK || !slices.Equal(names(t, a), want) {
			t.Errorf("%s answered %d %s, want %v", query, a.status, a.text, want)
		}
	}
	node := get(t, h, "/v1/nodes/db1.acme.net")
	if !strings.Contains(node.text, `"big":12345678901234567890`) || !strings.Contains(node.text, `"classes":["mysql::master"]`) {
		t.Errorf("the node is %s", node.text)
	}
	if _, err := registry.DecodeDocument([]byte(node.text)); err != nil {
		t.Errorf("the node is no node document: %v", err)
	}
}

// A bound value selects as equality does, whatever it looks like: it is never
// parsed.
func TestABoundValueIsAValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"acme mysql::master", "x or true", "'", `"`, "/.*/", ")", "a\nb", "$c", "?", "{", "*", "=", "a=b", "%", "\\", "acme' or 'a'='a",
		})).Draw(rt, "value")
		if strings.ContainsRune(value, 0) || strings.ToValidUTF8(value, "") != value {
			return // no fact can be that
		}
		r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			rt.Fatal(err)
		}
		defer r.Close()
		for name, v := range map[string]string{"same": value, "other": value + "x", "acme": "acme"} {
			if _, err := r.Register(t.Context(), registry.Registration{Identity: name, Facts: map[string]any{"customer": v}}); err != nil {
				rt.Fatal(err)
			}
		}
		s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			rt.Fatal(err)
		}
		for _, ask := range []map[string]any{
			{"q": "customer=?", "dialect": "with", "param": []any{value}},
			{"q": "customer=$c", "dialect": "select", "param": map[string]any{"c": value}},
			{"q": `{"facts.customer": $c}`, "dialect": "mongo", "param": map[string]any{"c": value}},
			{"q": "customer = $c", "dialect": "native", "params": map[string]any{"c": value}},
		} {
			body, err := json.Marshal(ask)
			if err != nil {
				rt.Fatal(err)
			}
			w := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodPost, "http://localhost/v1/search", strings.NewReader(string(body)))
			s.ServeHTTP(w, request)
			var got struct{ Nodes []string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				rt.Fatalf("%s answered %d %s", body, w.Code, w.Body)
			}
			want := []string{"same"}
			if value == "acme" {
				want = []string{"acme", "same"}
			}
			if !slices.Equal(got.Nodes, want) {
				rt.Fatalf("%s names %v, want %v", body, got.Nodes, want)
			}
		}
	})
}

// A registration that is refused leaves the victim as it was, byte for byte.
func TestARefusedRegistrationChangesNothing(t *testing.T) {
	r := realRegistry(t, registry.Registration{Identity: "db1.acme.net", Auth: "cert", Sequence: 7, Facts: map[string]any{"customer": "acme"}, Classes: []string{"mysql::master"}})
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	h := serveConfig(t, api.Config{Registry: r, Tokens: tokens})
	secret := func(name string, role api.Role) http.Header {
		s, err := tokens.Create(name, role, 0)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Authorization": {"Bearer " + s}}
	}
	mallory, own, forwarder, reader := secret("mallory.acme.net", api.NodeRole), secret("db1.acme.net", api.NodeRole), secret("puppet1", api.Forwarder), secret("r", api.Reader)
	before := getAs(t, h, "/v1/nodes/db1.acme.net", reader).text
	evil := `{"identity":"db1.acme.net","facts":{"customer":"evil"}}`
	for name, test := range map[string]struct {
		head   http.Header
		body   string
		status int
		code   string
	}{
		"another node":          {mallory, evil, 400, "wrong_sender"},
		"in another case":       {mallory, strings.Replace(evil, "db1", "DB1", 1), 400, "wrong_sender"},
		"a weaker proof, node":  {own, evil, 400, "weaker_proof"},
		"a weaker proof, relay": {forwarder, evil, 400, "weaker_proof"},
		"a reader":              {reader, evil, 403, "forbidden"},
		"nobody":                {nil, evil, 401, "unauthenticated"},
		"a key twice":           {forwarder, `{"identity":"x","identity":"db1.acme.net"}`, 400, "duplicate_key"},
		"a key in two cases":    {forwarder, `{"identity":"x","IDENTITY":"db1.acme.net"}`, 400, "duplicate_key"},
		"trusted facts":         {mallory, `{"trusted":{"role":"db"},"identity":"db1.acme.net"}`, 400, "wrong_sender"},
		"not UTF-8":             {forwarder, "{\"identity\":\"db1.acme.net\",\"facts\":{\"a\":\"\xff\"}}", 400, "malformed"},
	} {
		a := send(t, h, "POST", "/v1/registrations", test.body, test.head)
		if a.status != test.status || a.errorCode() != test.code {
			t.Errorf("%s answered %d %s, want %d %s", name, a.status, a.text, test.status, test.code)
		}
		if after := getAs(t, h, "/v1/nodes/db1.acme.net", reader).text; after != before {
			t.Errorf("%s changed the node from\n%s\nto\n%s", name, before, after)
		}
	}
}

func getAs(t *testing.T, h *httptest.Server, path string, head http.Header) answer {
	t.Helper()
	return send(t, h, "GET", path, "", head)
}

// Whatever is posted is answered in JSON, and nothing but a whole answer with 200.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{`{"q":"customer=acme"}`, `{"q":"customer=?","param":["a"]}`, `{"fields":["*"],"limit":1}`, `{"q":"{a:{$gt:1}}","sort":"x"}`, `{"cursor":"e30"}`, `q=a`, `{"q":1e999}`} {
		f.Add(seed)
	}
	s, err := api.New(api.Config{
		Registry: realRegistry(f, registry.Registration{Identity: "a", Facts: map[string]any{"customer": "acme"}}),
		Open:     true, Log: slog.New(slog.DiscardHandler), Deadline: time.Minute,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/v1/search", strings.NewReader(body)))
		var got struct {
			Count *int
			Nodes []any
			Error *api.Failure
		}
		switch err := json.Unmarshal(w.Body.Bytes(), &got); {
		case w.Code == http.StatusOK && w.Header().Get("Content-Type") != "application/json":
			// Another format was asked for.
		case err != nil:
			t.Fatalf("%q answered %d %q: %v", body, w.Code, w.Body, err)
		case w.Code == http.StatusOK:
			if got.Count == nil || *got.Count != len(got.Nodes) || got.Error != nil {
				t.Fatalf("%q answered %s", body, w.Body)
			}
		case w.Code != http.StatusBadRequest || got.Error == nil || got.Error.Message == "" || got.Nodes != nil:
			t.Fatalf("%q answered %d %s", body, w.Code, w.Body)
		case got.Error.Start != nil && (*got.Error.Start < 0 || *got.Error.End < *got.Error.Start || *got.Error.End > len(got.Error.Text)):
			t.Fatalf("%q has its mistake outside of the text: %s", body, w.Body)
		}
	})
}

// Every line gets a verdict, in its order.
func FuzzRegistrations(f *testing.F) {
	for _, seed := range []string{`{"identity":"a"}`, "{\"identity\":\"a\"}\n[1]\n\n{", `{"identity":"a","facts":{"b":[{"c":null}]}}`, "{\n}"} {
		f.Add(seed)
	}
	s, err := api.New(api.Config{Registry: realRegistry(f), Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		lines := 0
		for line := range strings.Lines(body) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/registrations", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-ndjson")
		s.ServeHTTP(w, r)
		var got struct {
			Accepted, Refused int
			Results           []struct{ Line int }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%q answered %d %q: %v", body, w.Code, w.Body, err)
		}
		if len(got.Results) != lines || got.Accepted+got.Refused != lines || (w.Code == http.StatusOK) != (got.Refused == 0 && lines > 0) {
			t.Fatalf("%q, %d lines, answered %d %s", body, lines, w.Code, w.Body)
		}
		for i, v := range got.Results {
			if v.Line != i+1 {
				t.Fatalf("%q: result %d is about line %d", body, i+1, v.Line)
			}
		}
	})
}

// One question of a manifest over a fleet of 10,000, without the network.
func BenchmarkSearch(b *testing.B) {
	nodes := make([]registry.Registration, 10_000)
	for i := range nodes {
		nodes[i] = registry.Registration{
			Identity: fmt.Sprintf("n%05d.acme.net", i), Auth: "cert",
			Facts:   map[string]any{"customer": fmt.Sprintf("c%d", i%100), "environment": []string{"development", "production"}[i%2]},
			Classes: []string{"base", fmt.Sprintf("role%d", i%37)},
		}
	}
	s, err := api.New(api.Config{Registry: realRegistry(b, nodes...), Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string]string{
		"narrow": `{"q":"customer=? role5","param":["c42"]}`,
		"wide":   `{"q":"environment=development"}`,
		"fields": `{"q":"role5","fields":["customer","environment"]}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/v1/search", strings.NewReader(body)))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// Classes of catalogs can be told from those that nodes claim; and the keys of a
// search can all stand in one parameter, with types.
func TestSearchByCompiledClasses(t *testing.T) {
	h := serve(t, realRegistry(t,
		registry.Registration{Identity: "liar", Auth: "cert", Classes: []string{"mysql::master"}, Facts: map[string]any{"rack": int64(7)}},
		registry.Registration{Identity: "db1", Source: registry.Catalog, Auth: "forwarder puppet", Classes: []string{"mysql::master"}},
	))
	for query, want := range map[string][]string{
		"q=mysql::master":                {"db1", "liar"},
		"q=mysql::master&source=any":     {"db1", "liar"},
		"q=mysql::master&source=catalog": {"db1"},
		"q=" + url.QueryEscape("not class = mysql::master") + "&source=catalog":                          {"liar"},
		"ask=" + url.QueryEscape(`{"q":"{facts.rack: ?}","param":[7]}`):                                  {"liar"},
		"ask=" + url.QueryEscape(`{"q":"{facts.rack: ?}","param":["7"]}`):                                nil,
		"ask=" + url.QueryEscape(`{"q":"mysql::master","unknown":"query","fields":["networking.fqdn"]}`): {"db1", "liar"},
	} {
		if a := get(t, h, "/v1/search?"+query); a.status != http.StatusOK || !slices.Equal(names(t, a), want) {
			t.Errorf("%s answered %d %s, want %v", query, a.status, a.text, want)
		}
	}
	for path, says := range map[string]string{
		"/v1/search?source=daemon":                          "source must be catalog or any",
		"/v1/missing?source=catalog":                        "only /v1/search",
		"/v1/search?ask=7":                                  "not a JSON object",
		"/v1/search?q=custmer%3D1&unknown=query":            "no node has the fact custmer",
		"/v1/search?fields=custmer&unknown=error":           "no node has the fact custmer",
		"/v1/search?unknown=never":                          "unknown must be warn, query or error",
		"/v1/search?q=class%3Dx+group+by+a&source=nonsense": "source must be catalog or any",
	} {
		if a := get(t, h, path); a.status != http.StatusBadRequest || !strings.Contains(a.errorText(), says) {
			t.Errorf("%s answered %d %s", path, a.status, a.text)
		}
	}
}

// A minus before the path of sort reverses; nodes without it come last.
func TestSearchSortsBothWays(t *testing.T) {
	h := serve(t, realRegistry(t,
		registry.Registration{Identity: "a", Auth: "cert", Facts: map[string]any{"rack": int64(9)}},
		registry.Registration{Identity: "b", Auth: "cert", Facts: map[string]any{"rack": int64(10)}},
		registry.Registration{Identity: "c", Auth: "cert"},
	))
	for sort, want := range map[string][]string{"rack": {"a", "b", "c"}, "-rack": {"b", "a", "c"}, "-facts.rack": {"b", "a", "c"}} {
		if a := get(t, h, "/v1/search?sort="+sort); a.status != http.StatusOK || !slices.Equal(names(t, a), want) {
			t.Errorf("by %s: %d %s, want %v", sort, a.status, a.text, want)
		}
	}
}
