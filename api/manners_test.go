package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/api"
	"muster/registry"
)

// ask sends a request to the handler itself: no client adds or unpacks anything.
func ask(t interface{ Fatalf(string, ...any) }, s http.Handler, path string, head http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil)
	maps.Copy(r.Header, head)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") == "" {
		conforms(t, http.MethodGet, path, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
	}
	return w
}

func quiet(t interface{ Fatal(...any) }, c api.Config) *api.Server {
	c.Log, c.Now, c.Open = slog.New(slog.DiscardHandler), func() time.Time { return now }, true
	s, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// crowd is a fleet whose answers are worth packing.
func crowd(n int) []registry.Node {
	nodes := make([]registry.Node, n)
	for i := range nodes {
		nodes[i] = registry.Node{
			Identity: registry.Identity(fmt.Sprintf("web%05d.acme.net", i)), State: registry.Active, LastSeen: now,
			Facts: map[string]any{"customer": "acme", "n": int64(i)}, Collectives: []string{"mcollective"},
		}
	}
	return nodes
}

func TestTags(t *testing.T) {
	f := &fake{nodes: fleet()}
	s := quiet(t, api.Config{Registry: f})
	for _, path := range []string{
		"/v1/search", "/v1/search?format=text", "/v1/search?format=ndjson&fields=customer", "/v1/nodes/db1.acme.net",
		"/v1/facts", "/v1/facts/customer", "/v1/classes",
	} {
		first := ask(t, s, path, nil)
		tag := first.Header().Get("ETag")
		if first.Code != 200 || !strings.HasPrefix(tag, `"`) || first.Header().Get("Cache-Control") != "private, no-cache" {
			t.Fatalf("%s answered %d with the tag %s, %s", path, first.Code, tag, first.Header().Get("Cache-Control"))
		}
		for _, known := range []string{tag, "W/" + tag, `"x", ` + tag, "*", strings.TrimSuffix(tag, `"`) + `-gzip"`} {
			again := ask(t, s, path, http.Header{"If-None-Match": {known}})
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("ETag") == "" {
				t.Errorf("%s with If-None-Match: %s answered %d, %d bytes", path, known, again.Code, again.Body.Len())
			}
		}
		for _, other := range []string{`"x"`, "x", `""`, tag[:len(tag)-2] + `"`} {
			if again := ask(t, s, path, http.Header{"If-None-Match": {other}}); again.Code != 200 || again.Body.String() != first.Body.String() {
				t.Errorf("%s with If-None-Match: %s answered %d", path, other, again.Code)
			}
		}
	}
	if failed := ask(t, s, "/v1/search?q=and", http.Header{"If-None-Match": {"*"}}); failed.Code != 400 || failed.Header().Get("ETag") != "" {
		t.Errorf("a failure has a tag: %d %s", failed.Code, failed.Header().Get("ETag"))
	}
	f.err = registry.ErrLoading
	if failed := ask(t, s, "/v1/search", http.Header{"If-None-Match": {"*"}}); failed.Code != 503 {
		t.Errorf("a registry that is not ready answered %d: the asker would take its old answer for true", failed.Code)
	}
}

// Two answers have one tag only if they are the same bytes.
func TestTagsTellAnswersApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]string{} // by tag
		n := rapid.IntRange(1, 6).Draw(t, "nodes")
		nodes := crowd(n)
		f := &fake{}
		s := quiet(t, api.Config{Registry: f})
		for range 8 {
			f.nodes = nodes[:rapid.IntRange(0, n).Draw(t, "kept")]
			for i := range f.nodes {
				f.nodes[i].LastSeen = now.Add(-time.Duration(rapid.IntRange(0, 2).Draw(t, "age")) * time.Minute)
			}
			path := "/v1/search?format=" + rapid.SampledFrom([]string{"json", "text", "ndjson"}).Draw(t, "format") +
				rapid.SampledFrom([]string{"", "&limit=1", "&q=n=1"}).Draw(t, "more")
			w := ask(t, s, path, nil)
			whole := fmt.Sprintf("%s %s %s %s", w.Header().Get("Content-Type"), w.Header().Get("Muster-Count"), w.Header().Get("Muster-Complete"), w.Body.String())
			if other, known := seen[w.Header().Get("ETag")]; known && other != whole {
				t.Fatalf("one tag for\n%s\n%s", other, whole)
			}
			seen[w.Header().Get("ETag")] = whole
		}
	})
}

func TestPackedAnswers(t *testing.T) {
	s := quiet(t, api.Config{Registry: &fake{nodes: crowd(500)}})
	plain := ask(t, s, "/v1/search", nil)
	for _, test := range []struct {
		accept string
		packed bool
	}{
		{"gzip", true}, {"deflate, gzip;q=0.5", true}, {"*", true}, {"GZIP", true}, {"br, *;q=0.1", true},
		{"", false}, {"identity", false}, {"gzip;q=0", false}, {"gzip; q=0.000", false}, {"*;q=0", false}, {"gzip;q=0, *", false}, {"gzip;q=x", false},
	} {
		w := ask(t, s, "/v1/search", http.Header{"Accept-Encoding": {test.accept}})
		body := w.Body.Bytes()
		if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != test.packed {
			t.Errorf("Accept-Encoding: %s was answered packed=%t", test.accept, packed)
			continue
		}
		if length := w.Header().Get("Content-Length"); length != fmt.Sprint(len(body)) {
			t.Errorf("%d bytes announced as %s", len(body), length)
		}
		if test.packed {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
			if w.Header().Get("ETag") == plain.Header().Get("ETag") {
				t.Error("other bytes under the same strong tag")
			}
		}
		if string(body) != plain.Body.String() {
			t.Errorf("Accept-Encoding: %s was answered with other content", test.accept)
		}
		if !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("Vary is %q", w.Header().Values("Vary"))
		}
	}
	if small := ask(t, s, "/v1/search?limit=1", http.Header{"Accept-Encoding": {"gzip"}}); small.Header().Get("Content-Encoding") != "" {
		t.Error("a small answer was packed")
	}
}

func TestRequestIDs(t *testing.T) {
	var log bytes.Buffer
	s, err := api.New(api.Config{Registry: &fake{}, Open: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		sent string
		kept bool
	}{
		{"abc-123:4.5_6", true}, {strings.Repeat("a", 64), true}, {strings.Repeat("a", 65), false},
		{"", false}, {"-x", false}, {"a b", false}, {"a\nlevel=ERROR", false}, {"a\"", false}, {"ä", false},
	} {
		log.Reset()
		w := ask(t, s, "/v1/search?q=and", http.Header{"X-Request-Id": {test.sent}})
		id := w.Header().Get("X-Request-Id")
		if (id == test.sent) != test.kept || len(id) < 3 {
			t.Errorf("%q became %q", test.sent, id)
		}
		if !strings.Contains(log.String(), "request="+id) || !strings.Contains(w.Body.String(), `"request":"`+id+`"`) {
			t.Errorf("%s is not in\n%s%s", id, log.String(), w.Body.String())
		}
	}
}
