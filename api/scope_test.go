package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/api"
	"muster/registry"
)

// world is a server over a real registry, and a clock.
type world struct {
	*api.Server

	registry *registry.Registry
	tokens   *api.TokenStore
	at       time.Time
	t        failer
}

type failer interface {
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func newWorld(t failer, dir string, change func(*api.Config)) *world {
	w := &world{at: now, t: t}
	clock := func() time.Time { return w.at }
	r, err := registry.Open(context.Background(), registry.Config{Now: clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.registry = r
	w.tokens = &api.TokenStore{Path: filepath.Join(dir, "tokens.json")}
	c := api.Config{Registry: r, Tokens: w.tokens, Now: clock, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	if w.Server, err = api.New(c); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) close(t failer) {
	if err := w.registry.Close(); err != nil {
		t.Errorf("%v", err)
	}
}

func (w *world) tell(t failer, reg registry.Registration) {
	w.at = w.at.Add(time.Second)
	if _, err := w.registry.Register(context.Background(), reg); err != nil {
		t.Fatal(err)
	}
}

func (w *world) grant(t failer, role api.Role, g api.Grant) http.Header {
	secret, err := w.tokens.Grant(fmt.Sprintf("t%d", time.Now().UnixNano()), role, 0, g)
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Authorization": {"Bearer " + secret}, "X-Request-Id": {"same"}}
}

func (w *world) get(t failer, path string, head http.Header) string {
	a := ask(t, w, path, head)
	return fmt.Sprintf("%d %s %v", a.Code, a.Body.String(), a.Header())
}

// questions are ways to ask about a fact; %s is its name.
var questions = []string{
	"/v1/search?q=%s=1", "/v1/search?q=%s=2", "/v1/search?q=not+%s=1", "/v1/search?q=exists(%s)", "/v1/search?q=%s.deep=1", "/v1/search?q=any+%s+{x=1}",
	"/v1/search?q=role=web+and+%s=1&unknown=error", "/v1/search?fact=%s=1", "/v1/search?select=%s=1", "/v1/search?with=%s=1", "/v1/search?q={'facts.%s':1}",
	"/v1/search?sort=%s", "/v1/search?sort=-%s", "/v1/search?fields=%s", "/v1/search?fields=*", "/v1/search?fields=facts", "/v1/search?fields=warnings,%s",
	"/v1/search?q=role=web+|+order+by+%s", "/v1/search?q=role=web+|+select+%s", "/v1/search?q=role=web+|+group+by+%s", "/v1/search?q=role=web+|+sample+1+per+%s",
	"/v1/search?q=role=web+|+select+sum(%s)", "/v1/search?q=role+in+{%s=1+|+select+role}", "/v1/search?q=changed+%s+within+7d", "/v1/search?q=changed+role+within+7d",
	"/v1/search?q=facts[certname,name,value]{name='%s'}", "/v1/search?q=inventory[certname]{facts.%s=1}", "/v1/search?q=fact_contents{value=1}",
	"/v1/search?q=*=1", "/v1/search?q=facts.*=1", "/v1/search?q=contents=1", "/v1/search?q=%s.*=1", "/v1/search?q=**.deep=1",
	"/v1/facts", "/v1/facts/%s", "/v1/facts/role?q=%s=1", "/v1/classes", "/v1/nodes/n0", "/v1/nodes/n1", "/v1/nodes/out", "/v1/nodes/none",
	"/v1/why?node=n0&q=%s=1", "/v1/why?node=n0&q=not+%s=2", "/v1/why?node=n0&fact=%s=1", "/v1/why?node=out&q=role=web", "/v1/explain?q=%s=1", "/v1/parse?q=%s=1", "/v1/parse?q=hiden=1",
	"/v1/complete?q=hid", "/v1/complete?q=%s=", "/v1/complete?q=", "/v1/complete?q=r", "/v1/nodes/n0/history", "/v1/nodes/out/history", "/v1/nodes/n0/diff?from=1d", "/v1/nodes/n0/diff?with=n1",
	"/pdb/query/v4?query=inventory[certname]{facts.%s=1}", "/pdb/query/v4?query=nodes[certname]{facts.%s>0}", "/pdb/query/v4/facts", "/pdb/query/v4/facts/%s", "/pdb/query/v4/nodes",
	"/pdb/query/v4/nodes/out", "/pdb/query/v4/inventory", "/pdb/query/v4/fact-contents", "/pdb/query/v4/nodes/n0/facts", "/v1/hiera/n0",
	"/v1/nodes/n0/diff?with=out", "/v1/changes", "/v1/missing?state=active", "/v1/missing?q=%s=1&state=any",
}

// What a reader gets does not depend on what it may not see: not on values of
// facts, nor on their names, nor on nodes of other collectives.
func TestThreatT11ReadersLearnNothingOfWhatTheyMayNotSee(t *testing.T) {
	dir := t.TempDir()
	rounds := 0
	rapid.Check(t, func(t *rapid.T) {
		rounds++
		var worlds [2]*world
		hidden := func(label string) any {
			scalar := rapid.SampledFrom([]any{int64(1), int64(2), "1", true, nil})
			if rapid.IntRange(0, 3).Draw(t, label+" shape") == 0 {
				return map[string]any{"deep": scalar.Draw(t, label), "x": []any{scalar.Draw(t, label+" list")}}
			}
			return scalar.Draw(t, label)
		}
		for i := range worlds {
			w := newWorld(t, dir, nil)
			defer w.close(t)
			worlds[i] = w
			for turn := range 2 {
				for n := range 3 {
					facts := map[string]any{"role": "web", "turn": int64(turn), "n": int64(n)}
					if rapid.Bool().Draw(t, "has") {
						facts["hidden"] = hidden("value")
					}
					if rapid.Bool().Draw(t, "other") {
						facts["hiddenmore"] = hidden("more")
					}
					w.tell(t, registry.Registration{Identity: fmt.Sprintf("n%d", n), Facts: facts, Collectives: []string{"eu"}, Classes: []string{"base"}})
				}
				w.at = now.Add(time.Hour)
				if rapid.Bool().Draw(t, "outsider") {
					w.tell(t, registry.Registration{Identity: "out", Facts: map[string]any{"role": "web", "elsewhere": hidden("out")}, Collectives: []string{"us"}, Classes: []string{"secretclass"}})
				}
				w.at = now.Add(2 * time.Hour)
			}
		}
		g := api.Grant{Scope: registry.Scope{Collectives: []string{"eu"}, Facts: []string{"role", "turn", "n"}}}
		head := worlds[0].grant(t, api.Reader, g) // both read one file
		for _, q := range rapid.SliceOfN(rapid.SampledFrom(questions), 12, 12).Draw(t, "questions") {
			path := "http://h" + strings.ReplaceAll(q, "%s", "hidden")
			u, err := url.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			u.RawQuery = strings.NewReplacer("{", "%7B", "}", "%7D", "|", "%7C", "<", "%3C", ">", "%3E", " ", "+").Replace(u.RawQuery)
			first, second := worlds[0].get(t, u.RequestURI(), head), worlds[1].get(t, u.RequestURI(), head)
			if first != second {
				t.Fatalf("%s tells two registries apart:\n%s\n%s", q, first, second)
			}
			if strings.Contains(first, "hiddenmore") || strings.Contains(first, "secretclass") {
				t.Fatalf("%s names what is hidden: %s", q, first)
			}
			unknown := worlds[0].get(t, strings.ReplaceAll(u.RequestURI(), "hidden", "nobody"), head)
			if got := strings.ReplaceAll(first, "hidden", "nobody"); !strings.HasPrefix(q, "/v1/explain") && len(got) != len(unknown) {
				t.Fatalf("%s differs from a question about a fact that no node has:\n%s\n%s", q, got, unknown)
			}
		}
	})
	if rounds < 2 {
		t.Error("nothing was tried")
	}
}

// Readers with a scope get the answers to what they may ask.
func TestScopesShowTheRest(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	defer w.close(t)
	for i, collective := range []string{"eu", "us", "eu"} {
		w.tell(t, registry.Registration{
			Identity: fmt.Sprintf("n%d", i), Collectives: []string{collective}, Classes: []string{"c" + collective},
			Facts: map[string]any{"role": "web", "os": map[string]any{"name": "Debian"}, "pin": int64(i)},
		})
	}
	head := w.grant(t, api.Reader, api.Grant{Scope: registry.Scope{Collectives: []string{"eu"}, Facts: []string{"role", "os"}}})
	for path, want := range map[string]string{
		"/v1/search?format=text":                          "n0\nn2\n",
		"/v1/search?format=text&q=os.name=Debian":         "n0\nn2\n",
		"/v1/search?format=text&q=pin=2":                  "",
		"/v1/search?format=text&q=not+pin=2":              "n0\nn2\n",
		"/v1/search?format=text&collective=us":            "",
		"/v1/search?format=text&collective=eu,us":         "n0\nn2\n",
		"/v1/search?format=ndjson&fields=os.name&limit=1": `{"identity":"n0","os.name":"Debian"}` + "\n",
		"/v1/search?format=ndjson&fields=pin&limit=1":     `{"identity":"n0","pin":null}` + "\n",
		"/v1/facts":   `{"count":3,"facts":[{"name":"os","nodes":2},{"name":"os.name","nodes":2},{"name":"role","nodes":2}]}` + "\n",
		"/v1/classes": `{"classes":[{"name":"ceu","nodes":2}],"count":1}` + "\n",
	} {
		if a := ask(t, w, path, head); a.Code != 200 || a.Body.String() != want {
			t.Errorf("%s answered %d %s, want %s", path, a.Code, a.Body.String(), want)
		}
	}
	for _, path := range []string{"/v1/nodes/n1", "/v1/nodes/n1/history", "/v1/nodes/n0/diff?with=n1", "/v1/why?node=n1&q=role=web"} {
		if a := ask(t, w, path, head); a.Code != 404 {
			t.Errorf("%s answered %d %s", path, a.Code, a.Body.String())
		}
	}
	operator := w.grant(t, api.Operator, api.Grant{Scope: registry.Scope{Collectives: []string{"eu"}}})
	for path, want := range map[string]int{"/metrics": 403, "/v1/rejected": 403, "/v1/search": 200, "/v1/changes": 200} {
		if a := ask(t, w, path, operator); a.Code != want {
			t.Errorf("%s answered a limited operator %d", path, a.Code)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/nodes/n1/deactivate", nil)
	r.Header = operator
	out := httptest.NewRecorder()
	if w.ServeHTTP(out, r); out.Code != 404 {
		t.Errorf("a node that is not there for an operator was deactivated: %d %s", out.Code, out.Body.String())
	}
}

// A role's scope holds where the token says nothing, half by half.
func TestScopesOfRoles(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *api.Config) {
		c.Scopes = map[string]registry.Scope{"reader": {Collectives: []string{"eu"}, Facts: []string{"role"}}}
	})
	defer w.close(t)
	w.tell(t, registry.Registration{Identity: "n0", Collectives: []string{"eu"}, Facts: map[string]any{"role": "web", "pin": "1"}})
	w.tell(t, registry.Registration{Identity: "n1", Collectives: []string{"us"}, Facts: map[string]any{"role": "web", "pin": "1"}})
	for _, test := range []struct {
		role  api.Role
		scope registry.Scope
		want  string
	}{
		{api.Reader, registry.Scope{}, `[n0 web <nil>]`},
		{api.Reader, registry.Scope{Collectives: []string{"us"}}, `[n1 web <nil>]`},
		{api.Reader, registry.Scope{Facts: []string{"pin"}}, `[n0 <nil> 1]`},
		{api.Operator, registry.Scope{}, `[n0 web 1][n1 web 1]`},
	} {
		a := ask(t, w, "/v1/search?fields=role,pin&format=ndjson", w.grant(t, test.role, api.Grant{Scope: test.scope}))
		got := ""
		for line := range strings.Lines(a.Body.String()) {
			var n map[string]any
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint([]any{n["identity"], n["role"], n["pin"]})
		}
		if got != test.want {
			t.Errorf("%s with %+v sees %s, want %s", test.role, test.scope, got, test.want)
		}
	}
}

// A watcher learns of what it may see, whatever it asks for.
func TestScopesOfWatchers(t *testing.T) {
	for _, q := range []string{"role=web", "pin=1", "not pin=1"} {
		w := newWorld(t, t.TempDir(), nil)
		defer w.close(t)
		tell := func(id, collective, role string, pin int64) {
			w.tell(t, registry.Registration{Identity: id, Collectives: []string{collective}, Facts: map[string]any{"role": role, "pin": pin}})
		}
		tell("n0", "eu", "web", 1)
		tell("n1", "us", "web", 1)
		h := httptest.NewServer(w)
		defer h.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/v1/watch?q="+url.QueryEscape(q), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = w.grant(t, api.Reader, api.Grant{Scope: registry.Scope{Collectives: []string{"eu"}, Facts: []string{"role"}}})
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		next := func() (event, data string) {
			for lines.Scan() {
				if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
					event = text
				}
				if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					return event, text
				}
			}
			t.Fatal("the stream ended")
			return "", ""
		}
		if event, _ := next(); event != "began" {
			t.Fatalf("the stream began with %s", event)
		}
		tell("n0", "eu", "web", 2) // hidden
		tell("n1", "us", "db", 2)  // elsewhere
		tell("n0", "eu", "db", 2)
		tell("last", "eu", "web", 7)
		got := ""
		for !strings.Contains(got, "last") && q != "pin=1" {
			event, data := next()
			got += event + " " + data + "\n"
		}
		if strings.Contains(got, "pin") || strings.Contains(got, "n1") {
			t.Errorf("%s told %s", q, got)
		}
		want := map[string]int{"role=web": 1, "not pin=1": 0, "pin=1": 0}[q] // the node left where its role counts
		if n := strings.Count(got, "leave "); n != want {
			t.Errorf("%s told %s", q, got)
		}
	}
}
