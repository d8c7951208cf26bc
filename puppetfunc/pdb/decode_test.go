package pdb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/puppetfunc/pdb"
	"muster/registry"
)

// recorded is a command as Puppet's own terminus sent it.
func recorded(t testing.TB, name string) (url.Values, []byte) {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	request, err := os.ReadFile("testdata/" + name + ".request")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(string(request)))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query(), body
}

func decode(t *testing.T, name string) *pdb.Command {
	t.Helper()
	c, err := pdb.Decode(recorded(t, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, reg := range c.Registrations {
		if reg.Identity != "db1.acme.example.net" || reg.Sequence != uint64(c.Produced.UnixNano()) || !reg.Sent.Equal(c.Produced) || reg.Auth != "" {
			t.Errorf("%s registers %q, sequence %d, sent %v, auth %q", name, reg.Identity, reg.Sequence, reg.Sent, reg.Auth)
		}
	}
	return c
}

func TestFactsOfTheTerminus(t *testing.T) {
	c := decode(t, "facts")
	if c.Name != pdb.ReplaceFacts || c.Version != 5 || len(c.Registrations) != 1 || c.Produced.Year() != 2026 {
		t.Fatalf("decoded %+v", c)
	}
	facts := c.Registrations[0]
	want := map[string]any{
		"customer": "acme", "os": map[string]any{"family": "Debian", "release": map[string]any{"major": "12"}},
		"big": json.Number("12345678901234567890"), "ratio": 1.5, "text": "grüße \u2028 \n", "none": nil,
		"list": []any{int64(1), "a", map[string]any{"b": "c"}}, "dotted.key": int64(1), "environment": "production",
	}
	if facts.Source != registry.PuppetFacts || fmt.Sprint(facts.Facts) != fmt.Sprint(want) {
		t.Errorf("the facts are\n%v of %s, want\n%v", facts.Facts, facts.Source, want)
	}
	if facts.Trusted["authenticated"] != "local" {
		t.Errorf("trusted is %v", facts.Trusted)
	}
}

// Of a catalog only class names are kept; its parameters, secrets among them,
// are nowhere.
func TestCatalogOfTheTerminus(t *testing.T) {
	query, body := recorded(t, "catalog")
	if !strings.Contains(string(body), "CANARY-plain") || strings.Contains(string(body), "CANARY-sensitive") {
		t.Fatal("the recorded catalog holds no plain parameter, or a sensitive one")
	}
	c, err := pdb.Decode(query, body)
	if err != nil {
		t.Fatal(err)
	}
	reg := c.Registrations[0]
	if want := []string{"mysql::master", "apache", "apache::vhosts"}; len(c.Registrations) != 1 || reg.Source != registry.Catalog || !slices.Equal(reg.Classes, want) {
		t.Errorf("decoded %+v, want the classes %v", c.Registrations, want)
	}
	if said := fmt.Sprintf("%+v", c); strings.Contains(said, "CANARY") || reg.Facts != nil {
		t.Errorf("kept %s", said)
	}
}

func TestReportOfTheTerminus(t *testing.T) {
	c := decode(t, "report")
	reg := c.Registrations[0]
	run, _ := reg.Facts["last_run"].(map[string]any)
	if len(c.Registrations) != 1 || reg.Source != registry.Report || len(reg.Facts) != 1 {
		t.Fatalf("decoded %+v", c.Registrations)
	}
	for key, want := range map[string]any{
		"status": "failed", "noop": false, "noop_pending": false, "corrective_change": false, "environment": "production", "puppet_version": "7.23.0",
		"cached_catalog_status": "not_used", "total": int64(11), "failed": int64(1), "changed": int64(3), "skipped": int64(0), "out_of_sync": int64(4),
	} {
		if run[key] != want {
			t.Errorf("last_run.%s is %v, want %v", key, run[key], want)
		}
	}
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(run["time"])); err != nil || c.Produced.Sub(at) > time.Minute {
		t.Errorf("last_run.time is %v", run["time"])
	}
	if s, ok := run["seconds"].(float64); !ok || s <= 0 || s > 60 {
		t.Errorf("last_run.seconds is %v", run["seconds"])
	}
	if said := fmt.Sprintf("%+v", c); strings.Contains(said, "vhosts") || strings.Contains(said, "/bin/false") {
		t.Errorf("kept what happened to resources: %s", said)
	}
}

// The whole command in the body is the same command.
func TestTheOlderForm(t *testing.T) {
	for _, name := range []string{"facts", "catalog", "report"} {
		query, body := recorded(t, name)
		plain, err := pdb.Decode(query, body)
		if err != nil {
			t.Fatal(err)
		}
		whole := fmt.Sprintf(`{"command":%q,"version":%s,"certname":%q,"payload":%s}`, plain.Name, query.Get("version"), plain.Certname, body)
		older, err := pdb.Decode(url.Values{"checksum": query["checksum"]}, []byte(whole))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if fmt.Sprint(older) != fmt.Sprint(plain) {
			t.Errorf("%s is\n%v in the older form, and\n%v in the newer", name, older, plain)
		}
	}
}

func TestDeactivateNode(t *testing.T) {
	for body, version := range map[string]string{
		`{"certname":"a.net","producer_timestamp":"2026-11-20T08:28:13.257Z"}`: "3",
		`"a.net"`:     "2",
		`"\"a.net\""`: "1",
	} {
		for _, query := range []url.Values{params("deactivate_node", version, "a.net"), {}} {
			if len(query) == 0 {
				body = fmt.Sprintf(`{"command":"deactivate node","version":%s,"payload":%s}`, version, body)
			}
			c, err := pdb.Decode(query, []byte(body))
			if err != nil || c.Name != pdb.DeactivateNode || c.Certname != "a.net" || len(c.Registrations) != 0 || c.Produced.IsZero() != (version != "3") {
				t.Errorf("%s is %+v, %v", body, c, err)
			}
		}
	}
}

func params(command, version, certname string) url.Values {
	return url.Values{"command": {command}, "version": {version}, "certname": {certname}}
}

// What is not held is accepted, whatever it holds; what is held must be right.
func TestWhatIsRefused(t *testing.T) {
	facts := `{"certname":"a.net","values":{"x":1},"environment":"e","producer_timestamp":"2026-11-20T08:28:13.257Z"}`
	sum := params("replace_facts", "5", "a.net")
	sum.Set("checksum", "92cfceb39d57d914ed8b14d0e37643de0797ae56")
	when := params("replace_facts", "5", "a.net")
	when.Set("producer-timestamp", "yesterday")
	for name, test := range map[string]struct {
		query        url.Values
		body         string
		reason, says string // no reason: it is accepted
	}{
		"facts":                  {params("replace_facts", "5", "a.net"), facts, "", ""},
		"facts with blanks":      {params("replace facts", "5", "a.net"), facts, "", ""},
		"older facts":            {params("replace_facts", "4", "a.net"), facts, "", ""},
		"in capitals":            {params("replace_facts", "5", "A.net"), facts, "", ""},
		"inputs":                 {params("replace_catalog_inputs", "1", "a.net"), `{"inputs":[]}`, "", ""},
		"expiration":             {params("configure_expiration", "1", "a.net"), `{"certname":"a.net"}`, "", ""},
		"older than we know":     {params("replace_facts", "3", "a.net"), facts, "malformed", "4, 5"},
		"newer than we know":     {params("replace_catalog", "10", "a.net"), `{}`, "malformed", "9"},
		"no version":             {params("replace_facts", "", "a.net"), facts, "malformed", "version"},
		"no certname":            {params("replace_facts", "5", ""), facts, "bad_identity", "certname"},
		"of another":             {params("replace_facts", "5", "b.net"), facts, "wrong_sender", `"b.net", and its payload is about "a.net"`},
		"payload of nobody":      {params("replace_facts", "5", "a.net"), `{"values":{}}`, "bad_identity", "payload"},
		"another checksum":       {sum, facts, "malformed", "checksum"},
		"no time":                {when, facts, "malformed", "producer-timestamp"},
		"no time in the payload": {params("replace_facts", "5", "a.net"), strings.Replace(facts, "2026", "x", 1), "malformed", "no time"},
		"cut short":              {params("replace_facts", "5", "a.net"), facts[:40], "malformed", "too soon"},
		"two documents":          {params("replace_facts", "5", "a.net"), facts + facts, "malformed", "more follows"},
		"a certname twice":       {params("replace_facts", "5", "a.net"), `{"certname":"a.net","certname":"b.net"}`, "duplicate_key", "twice"},
		"a fact twice":           {params("replace_facts", "5", "a.net"), `{"certname":"a.net","values":{"trusted":{},"trusted":1}}`, "duplicate_key", "twice"},
		"facts as a list":        {params("replace_facts", "5", "a.net"), `{"certname":"a.net","values":[]}`, "malformed", "facts must be an object"},
		"resources as a map":     {params("replace_catalog", "9", "a.net"), `{"certname":"a.net","resources":{}}`, "malformed", "resources must be a list"},
		"not UTF-8":              {params("replace_facts", "5", "a.net"), "{\"certname\":\"a.net\",\"values\":{\"x\":\"\xff\"}}", "malformed", "UTF-8"},
		"nothing":                {url.Values{}, ``, "malformed", "too soon"},
		"no command":             {url.Values{}, facts, "malformed", "this is no command"},
		"a form":                 {url.Values{}, `payload=%7B%7D`, "malformed", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := pdb.Decode(test.query, []byte(test.body))
			if test.reason == "" {
				if err != nil || c.Held() != (len(c.Registrations) > 0) {
					t.Errorf("decoded %+v, %v", c, err)
				}
				return
			}
			refusal, ok := errors.AsType[*registry.Refusal](err)
			if !ok || refusal.Reason != test.reason || !strings.Contains(refusal.Detail, test.says) {
				t.Errorf("refused with %v, want %s and %q", err, test.reason, test.says)
			}
		})
	}
}

// The environment that Puppet says is a fact, unless the node has that fact,
// wherever it stands.
func TestEnvironmentIsAFact(t *testing.T) {
	for body, want := range map[string]string{
		`{"certname":"a","environment":"e","values":{"x":1}}`:                      "e",
		`{"certname":"a","values":{"x":1},"environment":"e"}`:                      "e",
		`{"certname":"a","environment":"e","values":{"environment":"own"}}`:        "own",
		`{"certname":"a","values":{"environment":"own"},"environment":"e"}`:        "own",
		`{"certname":"a","values":{"environment":"own"},"environment":null}`:       "own",
		`{"certname":"a","package_inventory":[["a","1","apt"]],"environment":"e"}`: "e",
	} {
		c, err := pdb.Decode(params("replace_facts", "5", "a"), []byte(body))
		if err != nil || c.Registrations[0].Facts["environment"] != want {
			t.Errorf("%s: %v, %+v; want %s", body, err, c, want)
		}
	}
}

// Nothing makes the decoder panic, and what it accepts is about the node that
// was announced.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"facts", "catalog", "report"} {
		query, body := recorded(f, name)
		query.Del("checksum")
		f.Add(query.Encode(), string(body))
		f.Add("", fmt.Sprintf(`{"command":%q,"version":%s,"payload":%s}`, query.Get("command"), query.Get("version"), body))
	}
	f.Add("command=deactivate_node&version=2&certname=a", `"a"`)
	f.Add("command=deactivate_node&version=1&certname=a", `"\"a\""`)
	f.Fuzz(func(t *testing.T, query, body string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		c, err := pdb.Decode(values, []byte(body))
		if err != nil {
			if refusal, ok := errors.AsType[*registry.Refusal](err); !ok || refusal.Detail == "" || refusal.Reason == "" {
				t.Fatalf("%q %q was refused with %v", query, body, err)
			}
			return
		}
		if announced := values.Get("certname"); values.Has("command") && !strings.EqualFold(announced, c.Certname) {
			t.Fatalf("%q is announced, and the command about %q", announced, c.Certname)
		}
		for _, reg := range c.Registrations {
			if reg.Identity != c.Certname || slices.Contains(slices.Collect(maps.Keys(reg.Facts)), "trusted") && reg.Source == registry.PuppetFacts {
				t.Fatalf("%q %q registers %+v", query, body, reg)
			}
		}
	})
}
