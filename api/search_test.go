package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
)

const asJSON = "application/json"

func names(t *testing.T, a answer) []string {
	t.Helper()
	list, ok := a.body["nodes"].([]any)
	if !ok {
		t.Fatalf("no list of nodes in %d %s", a.status, a.text)
	}
	var out []string
	for _, n := range list {
		switch n := n.(type) {
		case string:
			out = append(out, n)
		case map[string]any:
			out = append(out, n["identity"].(string))
		}
	}
	return out
}

func TestSearchAnswersNamesSorted(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	for _, test := range []struct {
		name, query string
		want        []string
	}{
		{"everything live", "", []string{"db1.acme.net", "db1.zenith.net", "web1.acme.net"}},
		{"words", "q=customer%3Dacme+mysql::master", []string{"db1.acme.net"}},
		{"words by their own key", "with=customer%3Dacme&dialect=auto", []string{"db1.acme.net", "web1.acme.net"}},
		{"named dialect", "q=mysql::master&dialect=with", []string{"db1.acme.net", "db1.zenith.net"}},
		{"any state", "q=customer%3Dacme&dialect=with&state=any", []string{"db1.acme.net", "old.acme.net", "web1.acme.net"}},
		{"a limit", "limit=2", []string{"db1.acme.net", "db1.zenith.net"}},
		{"nothing", "q=customer%3Dnobody&dialect=with", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := get(t, h, "/v1/search?"+test.query)
			if a.status != http.StatusOK {
				t.Fatalf("answered %d %s", a.status, a.text)
			}
			if got := names(t, a); !slices.Equal(got, test.want) {
				t.Errorf("nodes are %v, want %v", got, test.want)
			}
			if a.body["count"] != float64(len(test.want)) || a.body["complete"] != true {
				t.Errorf("count and complete are %v and %v in %s", a.body["count"], a.body["complete"], a.text)
			}
		})
	}
}

func TestSearchSaysHowOldItsAnswerIs(t *testing.T) {
	h := serve(t, &fake{nodes: fleet(), warning: "a warning of the registry"})
	a := get(t, h, "/v1/search")
	if want := "2026-11-27T11:57:00Z"; a.body["oldest"] != want {
		t.Errorf("oldest is %v, want %s", a.body["oldest"], want)
	}
	if w, _ := a.body["warnings"].([]any); len(w) != 1 || w[0] != "a warning of the registry" {
		t.Errorf("warnings are %v", a.body["warnings"])
	}
	empty := get(t, h, "/v1/search?q=customer%3Dnobody&dialect=with")
	if want := `{"count":0,"total":0,"complete":true,"oldest":null,"warnings":["a warning of the registry"],"nodes":[]}`; strings.TrimSpace(empty.text) != want {
		t.Errorf("nothing found is\n%s\nwant\n%s", empty.text, want)
	}
}

func TestSearchByPostIsTheSameQuestion(t *testing.T) {
	f := &fake{nodes: fleet()}
	h := serve(t, f)
	forms := []struct{ name, kind, body string }{
		{"json", asJSON, `{"q":"customer=? mysql::master","param":["acme"],"limit":5,"state":"any","collective":["eu","us"],"sort":"facts.os.family"}`},
		{"form", "application/x-www-form-urlencoded", "q=customer%3D%3F+mysql::master&param=acme&limit=5&state=any&collective=eu,us&sort=facts.os.family"},
	}
	a := get(t, h, "/v1/search?"+forms[1].body)
	if a.status != http.StatusOK || !slices.Equal(names(t, a), []string{"db1.acme.net"}) {
		t.Fatalf("GET answered %d %s", a.status, a.text)
	}
	for _, form := range forms {
		p := send(t, h, "POST", "/v1/search", form.body, http.Header{"Content-Type": {form.kind}})
		if p.text != a.text {
			t.Errorf("%s answers %s, GET answers %s", form.name, p.text, a.text)
		}
	}
	for i, d := range f.asked {
		if len(d.States) != 4 || !slices.Equal(d.Collectives, []string{"eu", "us"}) || d.Sort != "facts.os.family" || d.Limit != 5 {
			t.Errorf("discovery %d is %+v", i, d)
		}
	}
	if len(f.asked) != 3 {
		t.Errorf("%d discoveries, want 3", len(f.asked))
	}
}

func TestSearchRefusesWhatItDoesNotUnderstand(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	for _, test := range []struct{ name, method, what, says string }{
		{"unknown key", "GET", "limt=3", `"limit"`},
		{"unknown key far from all", "GET", "zzzzzzzzzz=3", "known are q, dialect"},
		{"unknown key in JSON", "POST", `{"querry":"x"}`, "unknown parameter"},
		{"another spelling", "POST", `{"Q":"x"}`, `"q"`},
		{"a key twice", "POST", `{"q":"a","q":"b"}`, "given twice"},
		{"a key twice by GET", "GET", "q=a&q=b", "given 2 times"},
		{"limit of nothing", "GET", "limit=0", "limit must be"},
		{"limit that is none", "GET", "limit=ten", "limit must be"},
		{"dialect", "GET", "dialect=sql", "dialect"},
		{"state", "GET", "state=sleepy", "state"},
		{"format", "GET", "format=xml", "there is no format"},
		{"unknown", "GET", "unknown=maybe", "warn, query or error"},
		{"cursor", "GET", "fields=customer&cursor=xxx", "cursor"},
		{"array", "POST", `["q"]`, "not a JSON object"},
		{"broken", "POST", `{"q":`, "not a JSON object"},
		{"object for a text", "POST", `{"q":{"a":1}}`, "must be a string"},
		{"text for params", "POST", `{"q":"a=?","param":"x"}`, "param must be"},
		{"fields as text", "GET", "fields=customer&format=text", "names only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a answer
			if test.method == "GET" {
				a = get(t, h, "/v1/search?"+test.what)
			} else {
				a = send(t, h, "POST", "/v1/search", test.what, http.Header{"Content-Type": {asJSON}})
			}
			if a.status != http.StatusBadRequest || a.errorCode() != "not_understood" {
				t.Errorf("answered %d %s, want 400 not_understood", a.status, a.text)
			}
			if !strings.Contains(a.errorText(), test.says) {
				t.Errorf("says %q, want something with %q", a.errorText(), test.says)
			}
		})
	}
}

func TestSearchPointsAtAMistake(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	text := "customer=/[/ x"
	a := get(t, h, "/v1/search?dialect=with&q="+url.QueryEscape(text))
	if a.status != http.StatusBadRequest || a.errorCode() != "syntax" {
		t.Fatalf("answered %d %s", a.status, a.text)
	}
	e := a.body["error"].(map[string]any)
	start, end := e["start"].(float64), e["end"].(float64)
	if start < 9 || end < start || int(end) > len(text) || e["text"] != text || e["dialect"] != "with" {
		t.Errorf("the mistake in %q is %v", text, e)
	}
}

// No failure looks like an empty list.
func TestSearchFailsLoudly(t *testing.T) {
	for _, test := range []struct {
		name   string
		f      *fake
		status int
		says   string
	}{
		{"loading", &fake{err: registry.ErrLoading}, http.StatusServiceUnavailable, "loading"},
		{"store away", &fake{err: errors.New("find nodes: connection refused")}, http.StatusServiceUnavailable, "connection refused"},
		{"slow", &fake{pause: true}, http.StatusServiceUnavailable, "longer than it may"},
		{"fault of ours", &fake{crash: "index out of range"}, http.StatusInternalServerError, "fault of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := serveConfig(t, api.Config{Registry: test.f, Open: true, Deadline: 20 * time.Millisecond})
			for _, format := range []string{"json", "text", "ndjson"} {
				a := get(t, h, "/v1/search?format="+format)
				if a.status != test.status || !strings.Contains(a.errorText(), test.says) {
					t.Errorf("%s answered %d %s, want %d with %q", format, a.status, a.text, test.status, test.says)
				}
				if strings.Contains(a.text, "index out") {
					t.Errorf("the fault is told to a stranger: %s", a.text)
				}
			}
		})
	}
}

func TestSearchWithFields(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()[:1]})
	a := get(t, h, "/v1/search?fields=customer,facts.os.family&fields=os,a.b,facts.a.b,nosuch,classes,state,seen,lastseen,count")
	want := `{"identity":"web1.acme.net","customer":"acme","facts.os.family":"Debian","os":{"family":"Debian"},"a.b":"dotted","facts.a.b":"dotted",
		"nosuch":null,"classes":["apache"],"state":"active","seen":"2026-11-27T11:59:00Z","lastseen":1795780740,"count":4}`
	var wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	got := a.body["nodes"].([]any)[0]
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		t.Errorf("the node is\n%s\nwant\n%s", g, w)
	}
	full := get(t, h, "/v1/search?fields=*").body["nodes"].([]any)[0]
	if one := get(t, h, "/v1/nodes/WEB1.acme.net"); fmt.Sprint(full) != fmt.Sprint(one.body) {
		t.Errorf("fields=* is\n%v\nand the node itself\n%v", full, one.body)
	}
}

func TestSearchInOtherFormats(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	text := get(t, h, "/v1/search?format=text&q=customer%3Dacme&dialect=with")
	if text.text != "db1.acme.net\nweb1.acme.net\n" || text.head.Get("Muster-Count") != "2" || text.head.Get("Muster-Complete") != "true" {
		t.Errorf("text is %q with %v", text.text, text.head)
	}
	lines := get(t, h, "/v1/search?format=ndjson&fields=customer&q=customer%3Dacme&dialect=with")
	if want := "{\"customer\":\"acme\",\"identity\":\"db1.acme.net\"}\n{\"customer\":\"acme\",\"identity\":\"web1.acme.net\"}\n"; lines.text != want {
		t.Errorf("ndjson is %q", lines.text)
	}
}

// many is a fleet of n nodes.
func many(n int) []registry.Node {
	nodes := make([]registry.Node, n)
	for i := range nodes {
		nodes[i] = registry.Node{Identity: registry.Identity(fmt.Sprintf("n%05d", i)), State: registry.Active, LastSeen: now}
	}
	return nodes
}

func TestNamesAreUnlimitedAndFieldsPaged(t *testing.T) {
	f := &fake{nodes: many(2500)}
	h := serve(t, f)
	if a := get(t, h, "/v1/search"); len(names(t, a)) != 2500 || a.body["complete"] != true {
		t.Errorf("names: count %v complete %v", a.body["count"], a.body["complete"])
	}
	var all []string
	var sizes []int
	cursor := ""
	for range 10 {
		a := get(t, h, "/v1/search?fields=state&cursor="+cursor)
		if a.status != http.StatusOK || a.body["total"] != float64(2500) {
			t.Fatalf("answered %d, total %v", a.status, a.body["total"])
		}
		all, sizes = append(all, names(t, a)...), append(sizes, len(names(t, a)))
		if a.body["complete"] == true {
			break
		}
		cursor = a.body["cursor"].(string)
		f.nodes = slices.Delete(f.nodes, 10, 11) // one of those already given goes away
		late := registry.Identity(fmt.Sprintf("n02499%c", 'a'+len(sizes)))
		f.nodes = append(f.nodes, registry.Node{Identity: late, State: registry.Active, LastSeen: now})
	}
	if !slices.Equal(sizes, []int{1000, 1000, 502}) { // two came while we read
		t.Errorf("pages are of %v", sizes)
	}
	for i := range 2500 {
		if name := fmt.Sprintf("n%05d", i); !slices.Contains(all, name) {
			t.Fatalf("%s was on no page", name)
		}
	}
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("a node was given twice")
	}
}

func TestALimitHoldsOverPages(t *testing.T) {
	h := serve(t, &fake{nodes: many(2500)})
	first := get(t, h, "/v1/search?fields=state&limit=1500")
	if len(names(t, first)) != 1000 || first.body["complete"] != false {
		t.Fatalf("the first page has %d nodes, complete %v", len(names(t, first)), first.body["complete"])
	}
	second := get(t, h, "/v1/search?fields=state&limit=1500&cursor="+first.body["cursor"].(string))
	if len(names(t, second)) != 500 || second.body["complete"] != true {
		t.Errorf("the second page has %d nodes, complete %v", len(names(t, second)), second.body["complete"])
	}
	other := get(t, h, "/v1/search?fields=auth&limit=1500&cursor="+first.body["cursor"].(string))
	if other.status != http.StatusBadRequest {
		t.Errorf("the cursor of another question answered %d", other.status)
	}
}

func TestUnknownFactsAreWarnedOfOrRefused(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	a := get(t, h, "/v1/search?q=custmer%3Dacme")
	if w := fmt.Sprint(a.body["warnings"]); a.status != http.StatusOK || !strings.Contains(w, "no node has the fact custmer; did you mean customer") {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	for _, what := range []string{"q=custmer%3Dacme", "q=customer%3Dacme&fields=custmer", "q=customer%3Dacme&fields=facts.custmer"} {
		a = get(t, h, "/v1/search?unknown=error&"+what)
		if a.status != http.StatusBadRequest || a.errorCode() != "unknown_fact" || !strings.Contains(a.errorText(), "no node has the fact custmer; want customer (3 nodes)") {
			t.Errorf("%s answered %d %s", what, a.status, a.text)
		}
	}
	if a = get(t, h, "/v1/search?unknown=error&q=customer%3Dacme&fields=*,state,facts.customer"); a.status != http.StatusOK {
		t.Errorf("known names answered %d %s", a.status, a.text)
	}
	loading := serve(t, &fake{err: registry.ErrLoading})
	if a = get(t, loading, "/v1/search?unknown=error&q=custmer%3Dacme"); a.status != http.StatusServiceUnavailable {
		t.Errorf("while loading answered %d %s", a.status, a.text)
	}
}

func TestColumnsOfAQueryAreFields(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	a := get(t, h, "/v1/search?q="+url.QueryEscape("mysql::master and customer=acme | select os.family, class"))
	if want := `"nodes":[{"classes":["mysql::master"],"identity":"db1.acme.net","os.family":"Debian"}]`; !strings.Contains(a.text, want) {
		t.Errorf("answered %d %s, want %s", a.status, a.text, want)
	}
}

func TestParse(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	good := get(t, h, "/v1/parse?q="+url.QueryEscape("customer=acme mysql::master"))
	if good.body["ok"] != true || good.body["dialect"] != "with" || !strings.Contains(good.body["tree"].(string), "mysql::master") {
		t.Errorf("answered %d %s", good.status, good.text)
	}
	bad := get(t, h, "/v1/parse?q="+url.QueryEscape("customer=acme and"))
	e, _ := bad.body["error"].(map[string]any)
	if bad.status != http.StatusOK || bad.body["ok"] != false || e["start"] != float64(17) || e["message"] == "" {
		t.Errorf("answered %d %s", bad.status, bad.text)
	}
	if a := get(t, h, "/v1/parse?qq=x"); a.status != http.StatusBadRequest || !strings.Contains(a.errorText(), `"q"`) {
		t.Errorf("answered %d %s", a.status, a.text)
	}
}

func TestExplain(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	a := get(t, h, "/v1/explain?dialect=select&q="+url.QueryEscape("customer=acme and not mysql::master"))
	dialects, _ := a.body["dialects"].(map[string]any)
	if len(dialects) != 6 || !strings.Contains(a.body["words"].(string), "fact customer is") {
		t.Fatalf("answered %d %s", a.status, a.text)
	}
	for name, d := range dialects {
		d := d.(map[string]any)
		text, _ := d["text"].(string)
		reason, _ := d["why"].(string)
		if (text == "") == (reason == "") {
			t.Errorf("%s is said as %q, because %q", name, text, reason)
		}
	}
	if with := dialects["with"].(map[string]any); with["why"] == "" {
		t.Errorf("with has no not, and is %v", with)
	}
}

func TestWhy(t *testing.T) {
	h := serve(t, &fake{nodes: fleet()})
	ask := func(node string) answer {
		return get(t, h, "/v1/why?node="+node+"&q="+url.QueryEscape("customer=acme mysql::master"))
	}
	if a := ask("db1.acme.net"); a.body["matches"] != true || len(a.body["reasons"].([]any)) != 0 {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if a := ask("db1.zenith.net"); a.body["matches"] != false || !strings.Contains(a.text, `"seen":"\"zenith\""`) {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if a := ask("old.acme.net"); !strings.Contains(a.text, `{"clause":"state is active or stale","seen":"expired"`) {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if a := ask("nobody"); a.status != http.StatusNotFound {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if a := get(t, h, "/v1/why?q=x"); a.status != http.StatusBadRequest {
		t.Errorf("answered %d %s", a.status, a.text)
	}
}

func TestParametersAreBoundNotParsed(t *testing.T) {
	f := &fake{nodes: fleet()}
	f.nodes[0].Facts = map[string]any{"customer": "acme mysql::master", "eq": "a=b"}
	h := serve(t, f)
	for _, test := range []struct{ name, query string }{
		{"positional", "q=customer%3D?&param=acme+mysql::master"},
		{"named", "q=customer%3D$c&param=c%3Dacme+mysql::master"},
		{"positional with =", "q=eq%3D?&param=%3Da%3Db"},
	} {
		a := get(t, h, "/v1/search?dialect=with&"+test.query)
		if a.status != http.StatusOK || !slices.Equal(names(t, a), []string{"web1.acme.net"}) {
			t.Errorf("%s answered %d %s", test.name, a.status, a.text)
		}
	}
}
