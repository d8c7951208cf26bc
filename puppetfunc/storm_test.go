//go:build puppetserver && peers

package puppetfunc_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	stormSize = 20
	peers     = "[db1.acme.net, db2.acme.net, db3.acme.net]"
	// fresh is for how long the module gives an answer again without asking.
	fresh = 5 * time.Second
)

// A compile storm asks the registry about once, and gets right catalogs. One that
// the registry dies in, and those after it, fail with a clear text or go on with
// the last answer, as each manifest wants; no catalog ever holds a shorter list.
func TestPuppetserverInAStorm(t *testing.T) {
	e := newEstate(t, puppet7)
	e.rubies = 2                                                     // which share no memory
	e.write(t, "conf/muster.yaml", "server: https://"+e.muster+"\n") // with the usual cache
	e.write(t, "code/environments/production/manifests/site.pp",
		`notify { "${trusted['certname']} has ${search_nodes('customer=acme', { 'on_error' => $facts['on_error'] })}": }`+"\n")
	e.startPuppetserver(t)
	forwarder := e.client(t, certname, 100)
	for name := range strings.SplitSeq(strings.Trim(peers, "[]"), ", ") {
		e.register(t, forwarder, name)
	}
	agents := make([]agentOf, stormSize)
	for i := range agents {
		name := fmt.Sprintf("agent%d.example.net", i)
		agents[i] = agentOf{name, e.client(t, name, int64(101+i))}
	}
	// Which of the two a catalog may be, and what it must be then.
	check := func(why string, answers []compiled, mayServe, mayFail func(compiled) bool) {
		t.Helper()
		for _, a := range answers {
			right := a.status == http.StatusOK && a.message == a.agent+" has "+peers
			failed := a.status == http.StatusInternalServerError && strings.Contains(a.text, "search_nodes: no server answered: https://"+e.muster)
			if fits := right && mayServe(a) || failed && mayFail(a); a.err != nil || !fits {
				t.Errorf("%s: the catalog of %s (on_error %s): %d %q %s %v", why, a.agent, a.onError, a.status, a.message, a.text, a.err)
			}
		}
	}
	all := func(compiled) bool { return true }
	none := func(compiled) bool { return false }
	careful := func(a compiled) bool { return a.onError == "fail" }
	content := func(a compiled) bool { return a.onError == "cache" }

	check("the first of all, which loads the code", e.storm(t, agents[:1], nil), all, none)
	before, began := e.count(t, agents[0].client, `\d+`), time.Now()
	check("a storm", e.storm(t, agents, nil), all, none)
	took, asked := time.Since(began), e.count(t, agents[0].client, `\d+`)-before
	t.Logf("%d catalogs in %v: muster was asked %d times", stormSize, took.Round(time.Millisecond), asked)
	if most := 1 + int(took/fresh); asked > most {
		t.Errorf("%d catalogs asked muster %d times within %v, want %d at most", stormSize, asked, took, most)
	}

	time.Sleep(fresh) // from now on the answer is asked for again, by its ETag
	unchanged := e.count(t, agents[0].client, "304")
	check("a storm later", e.storm(t, agents, nil), all, none)
	if n := e.count(t, agents[0].client, "304") - unchanged; n == 0 {
		t.Error("nobody asked by the ETag")
	}

	time.Sleep(fresh)
	check("muster dies", e.storm(t, agents, func() { _ = e.server.Process.Kill() }), all, careful) // nothing stops it from ending

	time.Sleep(fresh)
	check("without muster", e.storm(t, agents, nil), content, careful)
}

// agentOf is an agent as far as a puppetserver sees one.
type agentOf struct {
	name   string
	client *http.Client
}

// client speaks with a certificate of that name.
func (e *estate) client(t *testing.T, name string, serial int64) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.ca.pool(), Certificates: []tls.Certificate{e.ca.issue(t, serial, name)}}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

// register puts a node of acme's into muster.
func (e *estate) register(t *testing.T, c *http.Client, name string) {
	t.Helper()
	answer, err := c.Post("https://"+e.muster+"/v1/registrations", "application/json", strings.NewReader(fmt.Sprintf(`{"identity":%q,"facts":{"customer":"acme"}}`, name)))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", answer.Status, text)
	}
}

// count is how many searches muster has answered with a status.
func (e *estate) count(t *testing.T, c *http.Client, status string) (n int) {
	t.Helper()
	answer, err := c.Get("https://" + e.muster + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %v", answer.Status, text, err)
	}
	pattern := regexp.MustCompile(`(?m)^muster_http_requests_total\{route="[^"]*/v1/search",status="` + status + `"\} (\d+)$`)
	for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
		some, _ := strconv.Atoi(m[1])
		n += some
	}
	return n
}

// compiled is what a puppetserver answered to a request for a catalog.
type compiled struct {
	agent   string
	onError string
	status  int
	message string // of the catalog's only notify
	text    string // of a refusal
	err     error
}

// storm lets agents ask for their catalogs at once, every other one on_error =>
// 'cache'. When a quarter of them are answered, meanwhile is done.
func (e *estate) storm(t *testing.T, agents []agentOf, meanwhile func()) []compiled {
	t.Helper()
	answers := make(chan compiled)
	for i, a := range agents {
		go func() { answers <- a.compile(t.Context(), e.port, []string{"fail", "cache"}[i%2]) }()
	}
	var all []compiled
	for range agents {
		all = append(all, <-answers)
		if meanwhile != nil && len(all) == len(agents)/4 {
			meanwhile()
		}
	}
	return all
}

func (a agentOf) compile(ctx context.Context, port, onError string) compiled {
	c := compiled{agent: a.name, onError: onError}
	facts, err := json.Marshal(map[string]any{
		"name": a.name, "timestamp": time.Now().Format(time.RFC3339Nano), "expiration": time.Now().Add(time.Hour).Format(time.RFC3339Nano),
		"values": map[string]any{"clientcert": a.name, "clientversion": "7.23.0", "kernel": "Linux", "on_error": onError},
	})
	if err != nil {
		c.err = err
		return c
	}
	form := url.Values{"environment": {"production"}, "facts_format": {"application/json"}, "facts": {url.QueryEscape(string(facts))}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+filepath.Join("127.0.0.1:"+port, "/puppet/v3/catalog", a.name), strings.NewReader(form.Encode()))
	if err != nil {
		c.err = err
		return c
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	answer, err := a.client.Do(r)
	if err != nil {
		c.err = err
		return c
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	c.status, c.text, c.err = answer.StatusCode, string(text), err
	var catalog struct {
		Name      string
		Resources []struct{ Type, Title string }
	}
	if answer.StatusCode == http.StatusOK && json.Unmarshal(text, &catalog) == nil && catalog.Name == a.name {
		for _, r := range catalog.Resources {
			if r.Type == "Notify" {
				c.message += r.Title
			}
		}
		c.text = ""
	}
	return c
}
