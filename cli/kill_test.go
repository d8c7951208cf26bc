//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// soakEnv is how often the kill test kills; 3 times without it.
const soakEnv = "MUSTER_SOAK_ROUNDS"

// TestKilledServerLosesNothing kills a server with its broker, loaded by nodes
// that register over STOMP, again and again: whatever a node has a receipt for
// is there after the restart.
func TestKilledServerLosesNothing(t *testing.T) {
	rounds := 3
	if text := os.Getenv(soakEnv); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	k := &killing{dir: t.TempDir(), http: freePort(t), stomp: freePort(t), acknowledged: map[string]int64{}}
	for round := range rounds {
		server := k.start(t)
		k.verify(t, round)
		k.load(t, func() {
			time.Sleep(time.Duration(300+rand.IntN(500)) * time.Millisecond)
			if err := server.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = server.Wait() // killed
		})
	}
	server := k.start(t)
	k.verify(t, rounds)
	if err := server.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = server.Wait() // killed
	t.Logf("%d registrations were acknowledged in %d rounds", k.total.Load(), rounds)
	if k.total.Load() < int64(rounds) {
		t.Errorf("only %d registrations were acknowledged", k.total.Load())
	}
}

type killing struct {
	dir         string
	http, stomp string
	turn, total atomic.Int64

	mu           sync.Mutex
	acknowledged map[string]int64 // the highest turn, by node
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs muster serve, and waits until it is ready.
func (k *killing) start(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Args = []string{"muster", "serve", "--listen", k.http, "--stomp-listen", k.stomp, "--data", k.dir}
	cmd.Env = append(os.Environ(), "HOME="+k.dir, "XDG_CONFIG_HOME="+k.dir, "XDG_STATE_HOME="+k.dir, "MUSTER_RUN_FILE="+filepath.Join(k.dir, "run.json"))
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if response, err := http.Get("http://" + k.http + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return cmd
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // what it wrote counts
	t.Fatalf("the server was not ready within 30 s:\n%s", log.String())
	return nil
}

// verify compares what the server has with what was acknowledged.
func (k *killing) verify(t *testing.T, round int) {
	t.Helper()
	token, err := readSecret(filepath.Join(k.dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	c := &client{servers: []string{"http://" + k.http}, token: token, http: http.DefaultClient}
	for name, turn := range k.acknowledged {
		var node struct{ Facts struct{ Turn, Again int64 } }
		if err := c.do(t.Context(), http.MethodGet, "/v1/nodes/"+name, nil, &node); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if node.Facts.Turn < turn || node.Facts.Turn != node.Facts.Again {
			t.Errorf("round %d: %s is at turn %d and %d, and turn %d was acknowledged", round, name, node.Facts.Turn, node.Facts.Again, turn)
		}
		var history struct {
			Events []struct {
				Changes []struct {
					Path string
					New  json.Number
				}
			}
		}
		if err := c.do(t.Context(), http.MethodGet, "/v1/nodes/"+name+"/history?limit=1", nil, &history); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, e := range history.Events {
			for _, change := range e.Changes {
				if change.Path == "turn" && change.New.String() != strconv.FormatInt(node.Facts.Turn, 10) {
					t.Errorf("round %d: the history of %s ends at turn %s, it is at %d", round, name, change.New, node.Facts.Turn)
				}
			}
		}
	}
}

// load lets nodes register until kill has returned.
func (k *killing) load(t *testing.T, kill func()) {
	t.Helper()
	authority, err := pki.OpenAuthority(filepath.Join(k.dir, "ca"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := pki.OpenSecret(filepath.Join(k.dir, "broker.secret"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &site{authority: authority, secret: secret}
	var nodes sync.WaitGroup
	for i := range 4 {
		pair, err := s.issue(fmt.Sprintf("node%d", i), pki.RoleNode)
		if err != nil {
			t.Fatal(err)
		}
		nodes.Go(func() { k.register(ctx, t, s, pair) })
	}
	kill()
	cancel()
	nodes.Wait()
}

// register lets one node register again and again, each time something new.
func (k *killing) register(ctx context.Context, t *testing.T, s *site, pair *pki.KeyPair) {
	name, quiet := pair.Name(), slog.New(slog.DiscardHandler)
	sealer, err := wire.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		t.Error(err)
		return
	}
	counter, err := wire.OpenCounter("", time.Now)
	if err != nil {
		t.Error(err)
		return
	}
	conn := bus.NewClient(bus.Config{Brokers: []string{"stomp://" + k.stomp}, Login: name, Passcode: pki.Passcode(s.secret, name), Log: quiet})
	var running sync.WaitGroup
	running.Go(func() { _ = conn.Run(ctx) }) // ends with ctx
	defer running.Wait()
	said := int64(0)
	daemon := agent.Daemon{
		Bus: conn, Sealer: sealer, Counter: counter, Log: quiet, Now: time.Now,
		Opener: &wire.Opener{Roots: rootsOf(pair), Now: time.Now, Expect: []wire.Kind{wire.Receipt}},
		Collect: func(context.Context) agent.Snapshot {
			said = k.turn.Add(1)
			return agent.Snapshot{Facts: map[string]any{"turn": said, "again": said}}
		},
	}
	for ctx.Err() == nil {
		if _, err := daemon.Once(ctx); err != nil {
			continue
		}
		k.total.Add(1)
		k.mu.Lock()
		k.acknowledged[name] = max(k.acknowledged[name], said)
		k.mu.Unlock()
	}
}
