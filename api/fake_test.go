package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/api"
	"muster/query"
	"muster/registry"
	"muster/registry/index"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// fake is a registry that can fail, wait, and tell what it was asked.
type fake struct {
	nodes   []registry.Node
	err     error         // of Find and Register
	pause   bool          // Find waits until its context is done
	entered chan struct{} // told when Find waits; may be nil
	ready   error         // of Ready
	crash   string        // Find panics with it
	warning string

	mu         sync.Mutex
	asked      []registry.Discovery
	registered []registry.Registration
	trusted    []registry.Registration
	refusals   []registry.Refusal
}

func (f *fake) Find(ctx context.Context, d registry.Discovery) (registry.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, d)
	if f.crash != "" {
		panic(f.crash)
	}
	if f.pause {
		if f.entered != nil {
			f.entered <- struct{}{}
		}
		<-ctx.Done()
		return registry.Answer{}, ctx.Err()
	}
	if f.err != nil {
		return registry.Answer{}, f.err
	}
	a := registry.Answer{Complete: true}
	for _, n := range f.nodes {
		states := d.States
		if len(states) == 0 {
			states = []registry.State{registry.Active, registry.Stale}
		}
		if slices.Contains(states, n.State) && (d.Query == nil || query.Matches(d.Query.Filter, n.Document(), now)) {
			a.Nodes = append(a.Nodes, registry.FoundWhole(n))
		}
	}
	slices.SortFunc(a.Nodes, func(a, b registry.Found) int { return cmp.Compare(a.Identity.Key(), b.Identity.Key()) })
	if a.Count = len(a.Nodes); d.Limit > 0 && a.Count > d.Limit {
		a.Nodes, a.Complete = a.Nodes[:d.Limit], false
	}
	if d.Query != nil {
		a.Warnings = d.Query.Warnings
	}
	if f.warning != "" {
		a.Warnings = append(a.Warnings, f.warning)
	}
	return a, nil
}

func (f *fake) Node(id string) (registry.Node, bool) {
	for _, n := range f.nodes {
		if strings.EqualFold(string(n.Identity), id) {
			return n, true
		}
	}
	return registry.Node{}, false
}

func (f *fake) Register(_ context.Context, r registry.Registration) (registry.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return registry.Receipt{}, f.err
	}
	if _, err := registry.ParseIdentity(r.Identity); err != nil {
		refusal := &registry.Refusal{Identity: r.Identity, Reason: registry.ReasonIdentity, Detail: err.Error()}
		f.refusals = append(f.refusals, *refusal)
		return registry.Receipt{}, refusal
	}
	f.registered = append(f.registered, r)
	return registry.Receipt{Changed: true, Next: 5 * time.Minute}, nil
}

func (f *fake) Repeated(context.Context, registry.Registration) (registry.Receipt, bool, error) {
	return registry.Receipt{}, false, nil
}

func (f *fake) Trust(_ context.Context, r registry.Registration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trusted = append(f.trusted, r)
	return f.err
}

func (f *fake) Refuse(r registry.Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, r)
}

func (f *fake) Rejected() []registry.Refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.refusals)
}

func (f *fake) Ready(context.Context) error { return f.ready }

func (f *fake) Names() (registry.Names, error) {
	return registry.Names{
		Facts:   []registry.Count{{Name: "customer", Nodes: 3}, {Name: "eq", Nodes: 1}, {Name: "os", Nodes: 4}, {Name: "os.family", Nodes: 4}},
		Classes: []registry.Count{{Name: "mysql::master", Nodes: 2}},
	}, f.err
}

func (f *fake) Vocabulary() (query.Vocabulary, error) {
	names, err := f.Names()
	return query.Vocabulary{Names: func(kind string) map[string]int {
		counts := map[string]int{}
		for _, c := range map[string][]registry.Count{"fact": names.Facts, "class": names.Classes}[kind] {
			counts[c.Name] = c.Nodes
		}
		return counts
	}}, err
}

func (f *fake) Facts() ([]index.Fact, error) {
	return []index.Fact{{Path: "customer", Types: []string{"text"}, Nodes: 3, Values: 2}}, f.err
}

func (f *fake) Histogram(ctx context.Context, d registry.Discovery, path string) (registry.Values, error) {
	answer, err := f.Find(ctx, d)
	if err != nil {
		return registry.Values{}, err
	}
	tally := index.Tally{}
	for _, found := range answer.Nodes {
		n := found.Node()
		v, _ := n.Value(path)
		tally.Add(v, 1)
	}
	return registry.NewValues(len(answer.Nodes), tally.Counts(), answer.Warnings), nil
}

func (f *fake) Basis() *registry.Basis { return nil }

func (f *fake) Stats() registry.Stats {
	return registry.Stats{Changed: 7, Unchanged: 40, Refused: map[string]uint64{"older": 2}}
}

// fleet is three live nodes and one that has not been heard of for long.
func fleet() []registry.Node {
	node := func(name, customer string, age time.Duration, state registry.State, classes ...string) registry.Node {
		return registry.Node{
			Identity: registry.Identity(name), LastSeen: now.Add(-age), FirstSeen: now.Add(-time.Hour), State: state, Auth: "cert",
			Facts:       map[string]any{"customer": customer, "os": map[string]any{"family": "Debian"}, "a.b": "dotted", "a/b": "slash", "50%": "percent", "count": int64(4)},
			Classes:     classes,
			Collectives: []string{"mcollective"},
		}
	}
	return []registry.Node{
		node("web1.acme.net", "acme", time.Minute, registry.Active, "apache"),
		node("db1.acme.net", "acme", 2*time.Minute, registry.Active, "mysql::master"),
		node("db1.zenith.net", "zenith", 3*time.Minute, registry.Stale, "mysql::master"),
		node("old.acme.net", "acme", 1000*time.Hour, registry.Expired, "apache"),
	}
}

// serve runs a server over r that is open to its own host.
func serve(t *testing.T, r api.Registry) *httptest.Server {
	t.Helper()
	return serveConfig(t, api.Config{Registry: r, Open: true})
}

func serveConfig(t *testing.T, c api.Config) *httptest.Server {
	t.Helper()
	c.Log, c.Now = slog.New(slog.DiscardHandler), func() time.Time { return now }
	s, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h
}

// answer is a JSON answer with its status.
type answer struct {
	status int
	body   map[string]any
	text   string
	head   http.Header
}

func (a answer) errorCode() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) errorText() string {
	e, _ := a.body["error"].(map[string]any)
	message, _ := e["message"].(string)
	hint, _ := e["hint"].(string)
	return message + "; " + hint
}

func get(t *testing.T, h *httptest.Server, path string) answer {
	t.Helper()
	return send(t, h, "GET", path, "", nil)
}

func send(t *testing.T, h *httptest.Server, method, path, body string, head http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, head)
	if host := head.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := h.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, method, path, res.StatusCode, res.Header.Get("Content-Type"), text)
	a := answer{status: res.StatusCode, text: string(text), head: res.Header}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && !strings.HasPrefix(a.text, "[") {
		if err := json.Unmarshal(text, &a.body); err != nil {
			t.Fatalf("%s %s answered %q: %v", method, path, text, err)
		}
	}
	return a
}

func (f *fake) Rows(context.Context, registry.Discovery) (registry.Table, error) {
	return registry.Table{}, f.err
}
