package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
)

// asked is a site that a Puppet server has fed: two nodes that are alive, and
// one that was deactivated.
func asked(t *testing.T) *puppetserver {
	t.Helper()
	p, at := newPuppetserver(t), time.Now().Add(-time.Minute)
	for i, name := range []string{"db1.acme.net", "web1.acme.net", "old.acme.net"} {
		p.tell(t, "replace_facts", 5, name, at, fmt.Sprintf(`"environment":"production","values":{"customer":"acme","num":%d,"roles":["a","b%d"],"os":{"family":"Debian"},"trusted":{"certname":%q}}`, i, i, name))
		p.tell(t, "replace_catalog", 9, name, at, `"resources":[{"type":"Class","title":"Mysql::Master"},{"type":"Class","title":"Choria::Service"}]`)
	}
	p.tell(t, "store_report", 8, "db1.acme.net", at, `"status":"failed","noop":false,"environment":"production","end_time":"2026-11-20T08:28:13.257Z"`)
	p.tell(t, "deactivate_node", 3, "old.acme.net", at.Add(time.Second), `"x":1`)
	return p
}

// Questions of PuppetDB's clients, with the rows that PuppetDB gives.
func TestPuppetDBsQueries(t *testing.T) {
	p := asked(t)
	for _, test := range []struct{ path, query, want string }{
		{"", `nodes[certname]{}`, `[{"certname":"db1.acme.net"},{"certname":"web1.acme.net"}]`},
		{"", `nodes[certname, deactivated]{certname = "web1.acme.net"}`, `[{"certname":"web1.acme.net","deactivated":null}]`},
		{"", `nodes[certname]{node_state = "inactive"}`, `[{"certname":"old.acme.net"}]`},
		{"", `nodes[count()]{node_state = "any"}`, `[{"count":3}]`},
		{"/nodes", `["extract",["certname"],["=",["node","active"],false]]`, `[{"certname":"old.acme.net"}]`},
		{"", `nodes[certname]{deactivated is not null}`, `[]`},
		{"", `nodes[certname, latest_report_status]{latest_report_status = "failed"}`, `[{"certname":"db1.acme.net","latest_report_status":"failed"}]`},
		{"", `inventory[certname, facts.os.family, facts.none.x, trusted.certname]{facts.num > 0}`, `[{"certname":"web1.acme.net","facts.os.family":"Debian","facts.none.x":null,"trusted.certname":"web1.acme.net"}]`},
		{"", `inventory[facts.os.family, count()]{ group by facts.os.family }`, `[{"facts.os.family":"Debian","count":2}]`},
		{"", `inventory[certname]{facts.trusted.certname = "db1.acme.net"}`, `[{"certname":"db1.acme.net"}]`},
		{"", `facts[certname, name]{name ~ "^tru"}`, `[{"certname":"db1.acme.net","name":"trusted"},{"certname":"web1.acme.net","name":"trusted"}]`},
		{"", `facts[certname, value]{name = "num" order by value desc limit 1}`, `[{"certname":"web1.acme.net","value":1}]`},
		{"", `resources[certname]{type = "Class" and title = "Mysql::Master"}`, `[{"certname":"db1.acme.net"},{"certname":"web1.acme.net"}]`},
		{"", `resources[certname]{type = "Class" and title = "Mysql::Master" limit 1 offset 1}`, `[{"certname":"web1.acme.net"}]`},
		{"", `facts[certname]{name = "num" and value >= 0 limit 1}`, `[{"certname":"db1.acme.net"}]`},
		{"", `["from","nodes",["extract",["certname"],["=","certname","db1.acme.net"]]]`, `[{"certname":"db1.acme.net"}]`},
		{"", `["from","inventory",["extract",["certname"],["subquery","resources",["and",["=","type","Class"],["=","title","Mysql::Master"]]]],["limit",1]]`, `[{"certname":"db1.acme.net"}]`},
		{"/facts/num", ``, `[{"certname":"db1.acme.net","environment":"production","name":"num","value":0},{"certname":"web1.acme.net","environment":"production","name":"num","value":1}]`},
		{"/facts/customer/acme", `["=","certname","db1.acme.net"]`, `[{"certname":"db1.acme.net","environment":"production","name":"customer","value":"acme"}]`},
		{"/nodes/web1.acme.net/facts/roles", ``, `[{"certname":"web1.acme.net","environment":"production","name":"roles","value":["a","b1"]}]`},
		{"/nodes/web1.acme.net/facts/trusted", ``, `[{"certname":"web1.acme.net","environment":"production","name":"trusted","value":{"certname":"web1.acme.net"}}]`},
		{"/nodes/old.acme.net/facts", ``, `[]`},
		{"/fact-contents", `["and",["or",["in","certname",["array",["web1.acme.net"]]]],["or",["=","path",["os","family"]],["=","path",["roles",1]]]]`,
			`[{"certname":"web1.acme.net","environment":"production","path":["os","family"],"name":"os","value":"Debian"},{"certname":"web1.acme.net","environment":"production","path":["roles",1],"name":"roles","value":"b1"}]`},
		{"/resources/Class/Mysql::Master", `["=","certname","db1.acme.net"]`,
			`[{"certname":"db1.acme.net","environment":"production","type":"Class","title":"Mysql::Master","exported":false,"tags":null,"file":null,"line":null,"resource":null,"parameters":null}]`},
		{"/fact-names", ``, `["customer","environment","last_run","num","os","roles","trusted"]`},
		{"/environments", ``, `[{"name":"production"}]`},
	} {
		path := "/pdb/query/v4" + test.path
		if test.query != "" {
			path += "?query=" + url.QueryEscape(test.query)
		}
		a := p.get(path)
		if a.status != http.StatusOK || strings.TrimSpace(a.text) != test.want {
			t.Errorf("%s %s answered %d\n%s, want\n%s", test.path, test.query, a.status, a.text, test.want)
		}
		if test.query == "" {
			continue
		}
		body := fmt.Sprintf(`{"query":%q}`, test.query)
		if strings.HasPrefix(test.query, "[") {
			body = `{"query":` + test.query + `}`
		}
		if posted := p.send(p.reader, "/pdb/query/v4"+test.path, body); posted.text != a.text {
			t.Errorf("posted, %s answered %d %s", test.query, posted.status, posted.text)
		}
	}
}

// Whole nodes have the keys that PuppetDB 7.12 gives them.
func TestShapesOfWholeNodes(t *testing.T) {
	p := asked(t)
	keys := func(path string) []string {
		var rows []map[string]any
		text := p.get(path).text
		if !strings.HasPrefix(text, "[") {
			text = "[" + text + "]"
		}
		if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) == 0 {
			t.Fatalf("%s answered %s", path, text)
		}
		return slices.Sorted(maps.Keys(rows[0]))
	}
	node := []string{
		"cached_catalog_status", "catalog_environment", "catalog_timestamp", "certname", "deactivated", "expired", "facts_environment", "facts_timestamp", "latest_report_corrective_change",
		"latest_report_hash", "latest_report_job_id", "latest_report_noop", "latest_report_noop_pending", "latest_report_status", "report_environment", "report_timestamp",
	}
	for path, want := range map[string][]string{
		"/nodes": node, "/nodes/db1.acme.net": node, "/nodes/old.acme.net": node,
		"/inventory": {"certname", "environment", "facts", "timestamp", "trusted"},
		"/facts":     {"certname", "environment", "name", "value"}, "/fact-contents": {"certname", "environment", "name", "path", "value"},
		"/resources/Class": {"certname", "environment", "exported", "file", "line", "parameters", "resource", "tags", "title", "type"},
	} {
		if got := keys("/pdb/query/v4" + path); !slices.Equal(got, want) {
			t.Errorf("%s has the keys %v, want %v", path, got, want)
		}
	}
	old := p.get("/pdb/query/v4/nodes/old.acme.net")
	if when, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(old.body["deactivated"])); err != nil || when.IsZero() || old.body["report_timestamp"] != nil {
		t.Errorf("the deactivated node is %s", old.text)
	}
	if facts := p.get("/pdb/query/v4/inventory").text; !strings.Contains(facts, `"trusted":{"certname":"db1.acme.net"}},"trusted":{"certname":"db1.acme.net"}`) {
		t.Errorf("the inventory is %s", facts)
	}
}

func TestPagesOfRows(t *testing.T) {
	p := asked(t)
	for _, test := range []struct {
		path, params, want, records string
	}{
		{"/nodes", "limit=1&include_total=true", "db1", "2"},
		{"/nodes", "limit=1&offset=1&include_total=true", "web1", "2"},
		{"/nodes", "offset=1", "web1", ""},
		{"/nodes", "order_by=" + url.QueryEscape(`[{"field":"certname","order":"desc"}]`), "web1 db1", ""},
		{"/inventory", "limit=1&order_by=" + url.QueryEscape(`[{"field":"facts.num","order":"desc"}]`), "web1", ""},
		{"/facts/num", "limit=1&include_total=true&order_by=" + url.QueryEscape(`[{"field":"value","order":"desc"}]`), "web1", "2"},
		{"", "include_total=true&limit=1&query=" + url.QueryEscape("nodes[certname]{}"), "db1", "2"},
		{"", "include_total=true&query=" + url.QueryEscape("nodes[certname]{limit 1}"), "db1", "2"},
		{"/nodes", "limit=5&pretty=true", "db1 web1", ""},
	} {
		a := p.get("/pdb/query/v4" + test.path + "?" + test.params)
		var rows []struct{ Certname string }
		if err := json.Unmarshal([]byte(a.text), &rows); err != nil {
			t.Fatalf("%s answered %s", test.params, a.text)
		}
		var names []string
		for _, row := range rows {
			names = append(names, strings.TrimSuffix(row.Certname, ".acme.net"))
		}
		if got := strings.Join(names, " "); got != test.want || a.head.Get("X-Records") != test.records {
			t.Errorf("%s?%s answered %s of %q, want %s of %q", test.path, test.params, got, a.head.Get("X-Records"), test.want, test.records)
		}
	}
}

// What cannot be answered in full is refused in words that no client can take
// for an answer: they are not JSON, which puppetdb_query would read whatever
// the status.
func TestWhatIsNotHeldIsRefused(t *testing.T) {
	p := asked(t)
	for _, test := range []struct{ path, query, says string }{
		{"/resources", `["and",["=","type","File"],["=","exported",true],["not",["=","certname","db1.acme.net"]]]`, "only classes are held here"},
		{"/resources", `["and",["=","type","Class"],["=","exported",true]]`, "exported resources are not held here"},
		{"/resources", ``, "only classes"},
		{"/resources", `["=","certname","db1.acme.net"]`, "only classes"},
		{"/resources", `["or",["=","type","Class"],["=","title","x"]]`, "only classes"},
		{"/resources", `["not",["=","type","Class"]]`, "only classes"},
		{"/resources/File", ``, "only classes"},
		{"/nodes/db1.acme.net/resources", ``, "only classes"},
		{"", `resources{exported = true}`, "only classes"},
		{"", `resources[certname]{type = "Class" and tag = "x"}`, "tags of resources"},
		{"", `resources[parameters]{type = "Class"}`, "parameters of resources"},
		{"", `nodes[certname]{resources {type = "File" and title = "/etc/motd"}}`, "only classes"},
		{"", `nodes[certname]{certname in resources[certname]{title = "x"}}`, "only classes"},
		{"", `["from","nodes",["subquery","resources",["=","title","x"]]]`, "only classes"},
		{"", `nodes{latest_report_hash = "x"}`, "reports are not held"},
		{"", `reports{}`, "reports is not held here"},
		{"/reports", ``, "reports are not held here"},
		{"/reports/abc/events", ``, "not held here"},
		{"/catalogs/db1.acme.net", ``, "not held here"},
		{"/factsets", ``, "not held here"},
		{"", ``, "there is no query"},
		{"", `["=","certname","x"]`, "does not say what it is about"},
		{"", `nodes[certname]{`, "column 17"},
		{"/nodes", `nodes{}`, "column"},
		{"/nodes", `["=","nosuch","x"]`, "is not a field of nodes"},
		{"/nodes&limit=0", ``, "limit is a whole number"},
		{"/nodes&offset=-1", ``, "offset is a whole number"},
		{"/nodes&order_by=certname", ``, "order_by is a list"},
		{"/nodes&order_by=" + url.QueryEscape(`[{"field":"nosuch"}]`), ``, "is not a field of nodes"},
		{"/nodes&include_total=1", ``, "include_total"},
		{"/nodes&distinct_resources=true", ``, "not understood"},
	} {
		path, more, _ := strings.Cut(test.path, "&")
		a := p.get("/pdb/query/v4" + path + "?query=" + url.QueryEscape(test.query) + "&" + more)
		if a.status != http.StatusBadRequest || !strings.Contains(a.text, test.says) {
			t.Errorf("%s %s answered %d %s, want 400 with %q", test.path, test.query, a.status, a.text, test.says)
		}
		if json.Valid([]byte(a.text)) || !strings.HasPrefix(a.head.Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s is answered with what a client could take for an answer: %s %s", test.path, test.query, a.head.Get("Content-Type"), a.text)
		}
	}
	for path, want := range map[string]string{"/nodes/nosuch": "nosuch", "/nodes/nosuch/facts": "nosuch"} {
		if a := p.get("/pdb/query/v4" + path); a.status != http.StatusNotFound || a.text != `{"error":"No information is known about node `+want+"\"}\n" {
			t.Errorf("%s answered %d %s", path, a.status, a.text)
		}
	}
	if a := p.send(nil, "/pdb/query/v4", `{"query":"nodes{}"}`); a.status != http.StatusUnauthorized || json.Valid([]byte(a.text)) {
		t.Errorf("nobody was answered %d %s", a.status, a.text)
	}
}

// While the nodes are loaded, and when an answer takes too long, nobody gets an
// empty list.
func TestNoAnswerIsNoEmptyList(t *testing.T) {
	for name, f := range map[string]*fake{"loading": {err: http.ErrServerClosed, ready: http.ErrServerClosed}, "slow": {pause: true}} {
		h := serveConfig(t, api.Config{Registry: f, Open: true, Deadline: 50 * time.Millisecond})
		for _, path := range []string{"/nodes", "?query=" + url.QueryEscape("nodes{}"), "/inventory"} {
			if a := get(t, h, "/pdb/query/v4"+path); a.status != http.StatusServiceUnavailable || json.Valid([]byte(a.text)) {
				t.Errorf("%s, %s answered %d %s", name, path, a.status, a.text)
			}
		}
	}
}

// What Choria's discovery asks for, word by word, and what Bolt does.
func TestChoriasDiscovery(t *testing.T) {
	p := asked(t)
	for _, test := range []struct{ query, want string }{
		{`nodes[certname, deactivated] { (resources {type = "Class" and title = "Mysql::Master"} and resources {type = "Class" and title ~ "[mM][yY][sS]…*"}) and (inventory {facts.customer = "acme"} and inventory {facts.num >= 1} and inventory {facts.os.family ~ "[dD][eE][bB]"} and inventory {!(facts.customer = "Linux")}) }`, "web1.acme.net"},
		{`nodes[certname, deactivated] { (certname in inventory[certname] { facts.roles.match("\d+") = "b1" }) and (certname ~ "[wW][eE][bB]" or certname in resources[certname] { type = "Class" and title = "Nosuch" }) }`, "web1.acme.net"},
		{`nodes[certname, deactivated] { (resources {type = "File" and tag = "mcollective_agent_puppet_server"} and (resources {type = "Class" and title = "Choria::Service"} or resources {type = "Class" and title = "Mcollective::Service"})) }`, ""},
	} {
		a := p.get("/pdb/query/v4?query=" + url.QueryEscape(test.query))
		var rows []struct {
			Certname    string
			Deactivated *bool
		}
		if err := json.Unmarshal([]byte(a.text), &rows); err != nil || a.status != http.StatusOK {
			t.Fatalf("%s answered %d %s", test.query, a.status, a.text)
		}
		if len(rows) > 1 || len(rows) == 1 && rows[0].Certname != test.want || len(rows) == 0 && test.want != "" {
			t.Errorf("%s answered %s, want %q", test.query, a.text, test.want)
		}
	}
}

// A node's own certificate asks about that node only.
func TestANodeAsksAboutItself(t *testing.T) {
	p := asked(t)
	tokens := &api.TokenStore{Path: filepath.Join(t.TempDir(), "tokens.json")}
	secret, err := tokens.Create("web1.acme.net", api.NodeRole, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := serveConfig(t, api.Config{Registry: p.Registry, Tokens: tokens})
	head := http.Header{"Authorization": {"Bearer " + secret}}
	for path, want := range map[string]int{
		"/nodes/web1.acme.net": 200, "/nodes/web1.acme.net/facts": 200, "/nodes/web1.acme.net/facts/num": 200, "/nodes/db1.acme.net": 403, "/nodes/db1.acme.net/facts": 403, "/nodes": 403,
		"/nodes/web1.acme.net/facts?query=" + url.QueryEscape(`["or",["=","certname","db1.acme.net"]]`): 200,
		"/inventory": 403, "?query=nodes%7B%7D": 403, "/anything": 403,
	} {
		if a := getAs(t, h, "/pdb/query/v4"+path, head); a.status != want || strings.Contains(a.text, "db1.acme.net\",") {
			t.Errorf("%s answered %d %s, want %d", path, a.status, a.text, want)
		}
	}
}

// Whatever is asked, a list is the answer to all of it, and a failure nothing
// that a client could take for a list.
func FuzzPDBQuery(f *testing.F) {
	for _, seed := range []string{
		`{"query":"nodes[certname] { certname ~ 'a' }"}`, `{"query":["from","facts",["=","name","customer"]],"limit":1,"include_total":true}`,
		`{"query":"inventory[facts.x.match(\"\\d+\"), count()] { group by facts.x }"}`, `{"query":"resources { type = 'File' }"}`, `{"order_by":[{"field":"x"}]}`,
	} {
		f.Add("", seed)
	}
	f.Add("/nodes", `{"query":["~","certname","a"],"offset":1}`)
	f.Add("/facts/customer", `{"query":["extract",["value",["function","count"]],["~","value","a"],["group_by","value"]]}`)
	s, err := api.New(api.Config{
		Registry: realRegistry(f, registry.Registration{Identity: "a", Facts: map[string]any{"customer": "acme", "x": []any{int64(1)}}, Classes: []string{"b"}}),
		Open:     true, Log: slog.New(slog.DiscardHandler), Deadline: time.Minute,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader(body))
		r.URL.Path = "/pdb/query/v4" + path
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		text := w.Body.Bytes()
		switch {
		case w.Code == http.StatusOK:
			if !json.Valid(text) {
				t.Fatalf("%q %q answered %s", path, body, text)
			}
		case w.Code == http.StatusNotFound, w.Code == http.StatusMethodNotAllowed:
		case w.Code != http.StatusBadRequest || json.Valid(text):
			t.Fatalf("%q %q answered %d %s", path, body, w.Code, text)
		}
	})
}
