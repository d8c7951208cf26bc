//go:build unix

package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"muster/agent"
	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
)

// twins are two registries, each a process with a store of its own, on one
// broker, and the nodes that they hear.
type twins struct {
	broker string // its address
	serve  string // their settings; empty: they are neighbours
	url    [2]string
	dir    [2]string
	server [2]*exec.Cmd
	log    [2]*strings.Builder
	site   *site // issues certificates as the registries do
	token  string
}

// TestTwins: clients that name two registries feel nothing when one is killed,
// and that one knows after its restart what it missed.
func TestTwins(t *testing.T) {
	w := &twins{dir: [2]string{t.TempDir(), t.TempDir()}, broker: serveAnyone(t)}
	for i := range w.url {
		w.url[i] = "https://" + freePort(t)
	}
	w.start(t, 0)
	w.share(t)
	w.start(t, 1)

	const fleet = 20
	w.register(t, 0, fleet, "first")
	for i := range w.url {
		w.await(t, i, "turn=first", fleet)
	}
	w.searchWhileKilled(t, fleet)

	// Both heard the same, and what is said to one alone comes to the other.
	w.register(t, fleet, fleet+5, "missed")
	w.register(t, 3, 4, "changed")
	w.await(t, 0, "turn=missed", 5)
	w.start(t, 1)
	// It is ready, and so it knows.
	for question, want := range map[string]int{"turn=first": fleet - 1, "turn=missed": 5, "turn=changed": 1} {
		if names := w.search(t, w.client(t, 1), question); len(names) != want {
			t.Errorf("%s after the restart: %q, want %d nodes", question, names, want)
		}
	}
	var both [2]struct{ Events []map[string]any }
	for i := range both {
		if err := w.client(t, i).do(t.Context(), http.MethodGet, "/v1/nodes/node3/history", nil, &both[i]); err != nil {
			t.Error(err)
		}
	}
	if len(both[0].Events) != 2 || fmt.Sprint(kinds(both[0].Events)) != fmt.Sprint(kinds(both[1].Events)) {
		t.Errorf("the history of the changed node is %v and %v", both[0].Events, both[1].Events)
	}
	w.register(t, 0, 1, "again")
	for i := range w.url {
		w.await(t, i, "turn=again", 1)
	}
	if t.Failed() {
		w.kill(t, 0)
		w.kill(t, 1)
		t.Logf("one logged\n%s\nthe other\n%s", w.log[0], w.log[1])
	}
}

// TestOnTheFirstsBroker: the second registry needs no more than the address of
// the first one's broker, which knows it by its certificate.
func TestOnTheFirstsBroker(t *testing.T) {
	stomp := freePort(t)
	w := &twins{dir: [2]string{t.TempDir(), t.TempDir()}, broker: "stomp+ssl://" + stomp}
	for i, settings := range []string{"  stomp_listen: " + stomp + "\n", ""} {
		w.url[i] = "https://" + freePort(t)
		text := fmt.Sprintf("data: %s\nserve:\n  listen: %s\n  tls: true\n%s", w.dir[i], strings.TrimPrefix(w.url[i], "https://"), settings)
		if i == 1 {
			text = fmt.Sprintf("brokers: [%s]\n%s  neighbours: [%s]\n", w.broker, text, w.url[0])
		}
		w.server[i], w.log[i] = startServe(t, w.dir[i], w.url[i], text)
		if i == 0 {
			w.share(t)
			w.register(t, 0, 2, "before")
		}
	}
	w.await(t, 1, "turn=before", 2) // it is ready, and has asked its neighbour
	w.register(t, 2, 4, "after")
	for i := range w.url {
		w.await(t, i, "turn=after", 2)
	}
}

func kinds(events []map[string]any) (list []any) {
	for _, e := range events {
		list = append(list, e["kind"], e["changes"])
	}
	return list
}

// searchWhileKilled asks 10,000 times through clients that name both, and kills
// one meanwhile.
func (w *twins) searchWhileKilled(t *testing.T, want int) {
	const searchers, each = 8, 1250
	before := runtime.NumGoroutine()
	var done, failed atomic.Int64
	var running sync.WaitGroup
	for i := range searchers {
		c := w.client(t, i%2, 1-i%2) // half of them ask the one that dies first
		running.Go(func() {
			defer c.http.CloseIdleConnections()
			for range each {
				var answer searchAnswer
				err := c.do(t.Context(), http.MethodGet, "/v1/search?q=turn%3Dfirst", nil, &answer)
				if err == nil && (len(answer.Nodes) != want || !answer.Complete) {
					err = fmt.Errorf("a short answer: %d nodes", len(answer.Nodes))
				}
				if err != nil && failed.Add(1) <= 3 {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < searchers*each/4 {
		time.Sleep(time.Millisecond)
	}
	w.kill(t, 1)
	killed := done.Load()
	running.Wait()
	t.Logf("killed after %d of %d searches; %d failed", killed, done.Load(), failed.Load())
	if killed > searchers*each*3/4 {
		t.Errorf("only %d searches were left when the registry was dead", done.Load()-killed)
	}
	eventually(t, "the searchers' connections to be closed", func() bool { return runtime.NumGoroutine() <= before+5 })
}

// serveAnyone serves a broker that believes what everybody says, until the test
// ends.
func serveAnyone(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := &bus.Broker{Log: slog.New(slog.DiscardHandler), Authenticate: func(c bus.Credentials) (bus.Principal, error) {
		if c.Login == "registry" {
			return bus.Principal{Role: bus.RoleRegistry, Name: c.Login}, nil
		}
		return bus.Principal{Role: bus.RoleNode, Name: c.Login}, nil
	}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() { _ = broker.Serve(ctx, l) }) // ends with ctx
	t.Cleanup(func() { cancel(); serving.Wait() })
	return "stomp://" + l.Addr().String()
}

// start runs one of the registries, and waits until it is ready.
func (w *twins) start(t *testing.T, i int) {
	t.Helper()
	dir := w.dir[i]
	settings := fmt.Sprintf("brokers: [%s]\nbroker_login: registry\ndata: %s\nserve:\n  listen: %s\n  tls: true\n  %s\n",
		w.broker, dir, strings.TrimPrefix(w.url[i], "https://"), cmp.Or(w.serve, "neighbours: ["+w.url[1-i]+"]"))
	w.server[i], w.log[i] = startServe(t, dir, w.url[i], settings)
}

// startServe runs muster serve, and waits until it is ready. What it logs may be
// read when it has ended.
func startServe(t *testing.T, dir, address, settings string, env ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	path := filepath.Join(dir, "muster.yaml")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, log := exec.CommandContext(t.Context(), os.Args[0]), &strings.Builder{}
	cmd.Args = []string{"muster", "serve", "--config", path}
	cmd.Env = append(append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_STATE_HOME="+dir, "MUSTER_RUN_FILE="+filepath.Join(dir, "run.json")), env...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = cmd.Process.Kill() // it may be dead
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	asking := httpOver(&tls.Config{InsecureSkipVerify: true}) // it is only asked whether it is ready
	defer asking.CloseIdleConnections()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		response, err := asking.Get(address + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return cmd, log
		}
	}
	stop()
	t.Fatalf("the server is not ready within a minute:\n%s", log)
	return nil, nil
}

func (w *twins) kill(t *testing.T, i int) {
	t.Helper()
	if err := w.server[i].Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = w.server[i].Wait() // killed
}

// share gives the second registry the authority and the tokens of the first.
func (w *twins) share(t *testing.T) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(w.dir[1], "ca"), os.DirFS(filepath.Join(w.dir[0], "ca"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tokens.json", "admin.token"} {
		text, err := os.ReadFile(filepath.Join(w.dir[0], name))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir[1], name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	authority, err := pki.OpenAuthority(filepath.Join(w.dir[0], "ca"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.site = &site{authority: authority}
	if w.token, err = readSecret(filepath.Join(w.dir[0], "admin.token")); err != nil {
		t.Fatal(err)
	}
}

// client asks the registries in this order.
func (w *twins) client(t *testing.T, order ...int) *client {
	t.Helper()
	c := &client{token: w.token}
	for _, i := range order {
		c.servers = append(c.servers, w.url[i])
	}
	c.http = httpOver(trusting(w.site.authority.Roots, c.servers))
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func (w *twins) search(t *testing.T, c *client, question string) []string {
	t.Helper()
	var answer struct{ Nodes []string }
	err := c.do(t.Context(), http.MethodPost, "/v1/search", map[string]any{"q": question}, &answer)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Nodes
}

// await waits until one registry finds so many nodes.
func (w *twins) await(t *testing.T, i int, question string, want int) {
	t.Helper()
	c := w.client(t, i)
	eventually(t, fmt.Sprintf("%s to find %d nodes by %s", w.url[i], want, question), func() bool {
		return len(w.search(t, c, question)) == want
	})
}

// register lets some nodes register over STOMP until each has a receipt.
func (w *twins) register(t *testing.T, from, to int, turn string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var nodes sync.WaitGroup
	for i := from; i < to; i++ {
		pair, err := w.site.issue(fmt.Sprint("node", i), pki.RoleNode)
		if err != nil {
			t.Fatal(err)
		}
		nodes.Go(func() {
			if err := w.registerOne(ctx, pair, turn); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
}

func (w *twins) registerOne(ctx context.Context, pair *pki.KeyPair, turn string) error {
	quiet := slog.New(slog.DiscardHandler)
	sealer, err := wire.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		return err
	}
	counter, err := wire.OpenCounter("", time.Now)
	if err != nil {
		return err
	}
	conn := bus.NewClient(bus.Config{
		Brokers: []string{w.broker}, Login: pair.Name(), Passcode: "x", TLS: presenting(pair, []string{w.broker}), Log: quiet,
	})
	daemon := agent.Daemon{
		Bus: conn, Sealer: sealer, Counter: counter, Log: quiet, Now: time.Now, Interval: time.Hour,
		Opener:  &wire.Opener{Roots: rootsOf(pair), Now: time.Now, Expect: []wire.Kind{wire.Receipt}},
		Collect: func(context.Context) agent.Snapshot { return agent.Snapshot{Facts: map[string]any{"turn": turn}} },
	}
	err = beside(ctx, conn.Run, func(ctx context.Context) error {
		_, err := daemon.Once(ctx)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
