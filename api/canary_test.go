package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/api"
	"muster/internal/audit"
	"muster/registry"
	"muster/registry/boltstore"
)

// locked is a buffer that a server may write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// canaryFacts are secrets as nodes have them, each with a canary in it.
func canaryFacts(turn int) map[string]any {
	return map[string]any{
		"turn": turn, "ec2_userdata": fmt.Sprintf("#!/bin/sh\nexport P=CANARY%d", turn), "db_password": fmt.Sprintf("CANARY%d", turn),
		"app":     map[string]any{"nested": []any{map[string]any{"api-token": fmt.Sprintf("CANARY%d", turn), "port": 80}}, "client_secret": []any{"CANARY", turn}},
		"motd":    "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----",
		"env":     "HOME=/root AWS_ACCESS_KEY_ID=AKIACANARYCANARY0000 x",
		"cookie":  "eyJDQU5BUlkiOiJDQU5BUlkifQ.eyJDQU5BUlkiOiJDQU5BUlkifQ.CANARYCANARY",
		"pin_key": 471147114711 + turn,
	}
}

// marks are what may be nowhere.
var marks = []string{"CANARY", "eyJDQU5BUlk", "4711471147"}

// Secrets come in by every door, and are in nothing that goes out or stays:
// answers in every format, streams, logs, metrics, errors, the audit log, the
// store, the history, backups.
func TestThreatT11CanariesAreNowhere(t *testing.T) {
	dir := t.TempDir()
	var log locked
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := boltstore.Open(t.Context(), filepath.Join(dir, "nodes.db"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), registry.Config{Store: store, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	deeds, err := audit.Open(audit.Config{Path: filepath.Join(dir, "audit.log")})
	if err != nil {
		t.Fatal(err)
	}
	tokens := &api.TokenStore{Path: filepath.Join(dir, "tokens.json")}
	s, err := api.New(api.Config{Registry: r, Tokens: tokens, Log: logger, Audit: deeds, AuditQuestions: true})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	defer h.Close()
	bearing := func(role api.Role) http.Header {
		secret, err := tokens.Create(string(role)+"1", role, 0)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Authorization": {"Bearer " + secret}}
	}
	admin, puppet, node := bearing(api.Admin), bearing(api.Forwarder), bearing(api.NodeRole)

	var seen locked
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // before the server closes, which waits for the watcher
	var watching sync.WaitGroup
	watching.Go(func() { watchInto(ctx, h.URL+"/v1/watch?q=turn%3E%3D0", admin, &seen) })
	sendCanaries(t, h, admin, puppet, node)
	all := askEverything(t, h, s, admin)
	for !strings.Contains(seen.String(), "enter") {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	watching.Wait()
	h.Close()
	all["the watch"], all["the log"] = seen.String(), log.String()
	text, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	all["the audit log"] = string(text)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	all["the store"] = stored(t, filepath.Join(dir, "nodes.db"))
	for where, text := range all {
		for _, mark := range marks {
			if at := strings.Index(text, mark); at >= 0 {
				t.Errorf("%s shows %s: …%.300s", where, mark, text[max(0, at-100):])
			}
		}
	}
	if !strings.Contains(all["GET /v1/nodes/:identity of node1"], "[redacted]") || !strings.Contains(all["GET /v1/nodes/:identity of web1"], "look like secrets") ||
		!strings.Contains(all["GET /metrics"], `muster_facts_redacted_total{by="name"}`) {
		t.Error("what was redacted is not told of")
	}
}

func sendCanaries(t *testing.T, h *httptest.Server, admin, puppet, node http.Header) {
	t.Helper()
	want := func(a answer, status int) {
		t.Helper()
		if a.status != status {
			t.Errorf("answered %d %s", a.status, a.text)
		}
	}
	for turn := range 2 {
		facts, err := json.Marshal(canaryFacts(turn))
		if err != nil {
			t.Fatal(err)
		}
		want(send(t, h, "POST", "/v1/registrations", fmt.Sprintf(`{"facts":%s,"trusted":%s}`, facts, facts), node), 200)
		want(send(t, h, "POST", "/v1/registrations", fmt.Sprintf(`{"identity":"imported","facts":%s,"trusted":%s}`, facts, facts), admin), 200)
		want(send(t, h, "POST", "/v1/registrations", fmt.Sprintf(`{"identity":"forwarded","facts":%s}`, facts), puppet), 200)
		at := time.Now().Add(time.Duration(turn) * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
		command := func(name, version, body string) {
			target := "/pdb/cmd/v1?" + url.Values{"command": {name}, "version": {version}, "certname": {"web1"}, "producer-timestamp": {at}}.Encode()
			want(send(t, h, "POST", target, body, puppet), 200)
		}
		command("replace_facts", "5", fmt.Sprintf(`{"certname":"web1","environment":"production","producer_timestamp":%q,"producer":"p","values":%s}`, at, facts))
		command("replace_catalog", "9", fmt.Sprintf(`{"certname":"web1","version":"1","environment":"production","producer_timestamp":%q,"producer":"p","edges":[],"resources":[{"type":"Class","title":"Db","tags":["class"],"exported":false,"parameters":{"password":"CANARY"}},{"type":"File","title":"/CANARY","tags":[],"exported":false,"parameters":{"content":"CANARY"}}]}`, at))
	}
	// What is refused is listed, without what it held.
	for _, bad := range []string{
		`{"identity":"x","facts":{"password":"CANARY"`, `{"identity":"x","facts":{"password":"CANARY","password":"CANARY"}}`, `{"identity":"x","facts":"CANARY"}`,
		`{"identity":"x","interval":"CANARY"}`, `{"identity":"x","classes":[{"CANARY":1}]}`, "CANARY", `["CANARY"]`,
	} {
		want(send(t, h, "POST", "/v1/registrations", bad, puppet), 400)
	}
	// An old backup, from before secrets were kept out.
	plain, err := registry.Open(t.Context(), registry.Config{Redact: registry.Redaction{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	for turn := range 2 {
		if _, err := plain.Register(t.Context(), registry.Registration{Identity: "restored", Facts: canaryFacts(turn)}); err != nil {
			t.Fatal(err)
		}
	}
	var backup bytes.Buffer
	if err := plain.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	want(send(t, h, "POST", "/v1/restore", backup.String(), admin), 200)
}

// askEverything asks every route that answers, about every node.
func askEverything(t *testing.T, h *httptest.Server, s *api.Server, admin http.Header) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, row := range s.Rows() {
		method, pattern, _ := strings.Cut(row, " ")
		if method != "GET" || pattern == "/v1/watch" {
			continue
		}
		for _, id := range []string{"node1", "imported", "forwarded", "web1", "restored"} {
			path := strings.NewReplacer(":identity", id, ":certname", id, ":path", "db_password").Replace(pattern)
			for _, more := range []string{"", "?q=turn%3E%3D0&fields=*", "?q=turn%3E%3D0&fields=*&format=ndjson", "?q=fact_contents%7Bname+~+%22.%22%7D", "?q=db_password%3D1&node=" + id, "?from=1h", "?q=db_password%3D"} {
				text := send(t, h, "GET", path+more, "", admin).text
				if r, err := gzip.NewReader(strings.NewReader(text)); err == nil {
					plain, err := io.ReadAll(r)
					if err != nil {
						t.Fatal(err)
					}
					text = string(plain)
				}
				all[row] += text
				all[row+" of "+id] += text
			}
		}
	}
	return all
}

func watchInto(ctx context.Context, url string, head http.Header, to io.Writer) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	r.Header = head
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(to, res.Body) // until ctx is done
}

// stored is all that a store holds.
func stored(t *testing.T, path string) string {
	t.Helper()
	store, err := boltstore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	nodes := 0
	err = store.Load(t.Context(), func(n registry.Node) error {
		nodes++
		out.Write(registry.AppendRecord(nil, &n))
		return nil
	})
	if err != nil || nodes != 5 {
		t.Fatalf("%d nodes, %v", nodes, err)
	}
	err = store.Events(t.Context(), registry.EventRange{}, func(e registry.Event) error { return json.NewEncoder(&out).Encode(e) })
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
