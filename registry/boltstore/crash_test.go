//go:build unix

package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/registry"
	"muster/registry/boltstore"
)

// childEnv tells the test program to be a child of one of these tests: what it
// does and the path of its store.
const childEnv = "MUSTER_BOLTSTORE_CHILD"

func TestMain(m *testing.M) {
	role, path, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	s, err := boltstore.Open(context.Background(), path)
	if err == nil {
		err = map[string]func(*boltstore.Store, string) error{"write": writeForEver, "register": registerForEver, "full": fillTheDisk}[role](s, path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestKillLosesNothing kills a process that writes, again and again, and wants
// everything it said was stored.
func TestKillLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	acknowledged := map[string]int64{}
	for round := range rounds(t) {
		child := startChild(t, "write", path)
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		if err := child.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said := child.acknowledged(t)
		if err := child.cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		maps.Copy(acknowledged, said)
		stored := turns(t, path)
		for id, turn := range acknowledged {
			if stored[id] < turn {
				t.Errorf("round %d: %s is at turn %d, and turn %d was acknowledged", round, id, stored[id], turn)
			}
		}
		t.Logf("round %d: %d acknowledged", round, len(said))
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged in all rounds")
	}
}

// soakEnv is how often the kill tests kill; 10 times without it.
const soakEnv = "MUSTER_SOAK_ROUNDS"

func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv(soakEnv)
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", soakEnv, err)
	}
	return n
}

// TestKillLosesNoRegistration kills a process with a loaded registry, again and
// again: every registration that was acknowledged is there, none is half there,
// and its change is in the history.
func TestKillLosesNoRegistration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	acknowledged, total := map[string]int64{}, 0
	for round := range rounds(t) {
		child := startChild(t, "register", path)
		time.Sleep(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		if err := child.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said := child.acknowledged(t)
		if err := child.cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		maps.Copy(acknowledged, said)
		total += len(said)
		r, err := registry.Open(t.Context(), registry.Config{Store: open(t, path)})
		if err != nil {
			t.Fatal(err)
		}
		remembered := lastTurns(t, r)
		for id, turn := range acknowledged {
			n, _ := r.Node(id)
			stored, _ := n.Facts["turn"].(int64)
			if stored < turn || n.Facts["again"] != n.Facts["turn"] {
				t.Errorf("round %d: %s is at turn %d and %v, and turn %d was acknowledged", round, id, stored, n.Facts["again"], turn)
			}
			if got, ok := remembered[strings.ToLower(id)]; ok && got != stored {
				t.Errorf("round %d: the history of %s ends at turn %d, the node is at %d", round, id, got, stored)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged", total)
	if total == 0 {
		t.Error("nothing was acknowledged in all rounds")
	}
}

// lastTurns reads from the history the turn that each node changed to last.
func lastTurns(t *testing.T, r *registry.Registry) map[string]int64 {
	t.Helper()
	turns := map[string]int64{}
	err := r.Events(t.Context(), registry.EventRange{}, func(e registry.Event) error {
		for _, c := range e.Changes {
			if c.Path != "turn" {
				continue
			}
			n, err := strconv.ParseInt(string(c.New), 10, 64)
			if err != nil {
				return err
			}
			turns[e.Identity.Key()] = n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return turns
}

// registerForEver is the child of the kill test of a registry.
func registerForEver(s *boltstore.Store, _ string) error {
	r, err := registry.Open(context.Background(), registry.Config{Store: s, TouchEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	begin := time.Now().UnixNano()
	var saying sync.Mutex
	failed := make(chan error)
	for w := range 8 {
		go func() {
			var reg registry.Registration
			for i := int64(0); ; i++ {
				if i%3 < 2 { // else the same again, but for what is volatile
					reg = registry.Registration{Identity: fmt.Sprintf("W%d-%d", w, i%20), Facts: turn("x", begin+i).Facts}
				}
				reg.Facts = maps.Clone(reg.Facts)
				reg.Facts["uptime"] = i
				if _, err := r.Register(context.Background(), reg); err != nil {
					failed <- err
					return
				}
				saying.Lock()
				fmt.Println(reg.Identity, reg.Facts["turn"])
				saying.Unlock()
			}
		}()
	}
	return <-failed
}

// TestAFullDiskIsSaidAndSurvived uses a limit on the size of files, which fails
// like a full disk and needs no rights.
func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	child := startChild(t, "full", path)
	said := child.acknowledged(t)
	if err := child.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, child.stderr.String())
	}
	stored := turns(t, path)
	if len(said) == 0 || len(stored) != len(said) {
		t.Errorf("%d nodes are stored, %d were acknowledged", len(stored), len(said))
	}
	for id, turn := range said {
		if stored[id] != turn {
			t.Errorf("%s is at turn %d, want %d", id, stored[id], turn)
		}
	}
}

// child is a process that writes to a store.
type child struct {
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	stderr strings.Builder
}

func startChild(t *testing.T, role, path string) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childEnv+"="+role+" "+path)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// acknowledged reads what the child says was stored, until it ends.
func (c *child) acknowledged(t *testing.T) map[string]int64 {
	t.Helper()
	said := map[string]int64{}
	for c.stdout.Scan() {
		var id string
		var turn int64
		if n, err := fmt.Sscan(c.stdout.Text(), &id, &turn); n != 2 {
			t.Fatalf("the child said %q: %v", c.stdout.Text(), err)
		}
		said[id] = turn
	}
	return said
}

// turns reads a store, and sees that no record is half of one turn and half of
// another.
func turns(t *testing.T, path string) map[string]int64 {
	t.Helper()
	s := open(t, path)
	defer closeStore(t, s)
	stored := map[string]int64{}
	err := s.Load(t.Context(), func(n registry.Node) error {
		turn, _ := n.Facts["turn"].(int64)
		if n.Facts["again"] != n.Facts["turn"] {
			t.Errorf("%s is at turn %v and %v", n.Identity, n.Facts["turn"], n.Facts["again"])
		}
		stored[string(n.Identity)] = turn
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// turn is a node at a turn, of about 2 KB.
func turn(id string, i int64) registry.Node {
	at := time.UnixMilli(1700000000000 + i).UTC()
	padding := make([]byte, 1000)
	for j := range padding {
		padding[j] = byte('a' + rand.IntN(26))
	}
	facts := map[string]any{"turn": i, "padding": string(padding), "again": i}
	return registry.NewNode(registry.Identity(id), at, map[registry.Source]*registry.Section{
		registry.Daemon: {Facts: facts, Received: at, Changed: at, Hash: fmt.Sprint(i)},
	})
}

// writeForEver is the child of the kill test: several writers, each of which
// says what was stored after Put has returned.
func writeForEver(s *boltstore.Store, _ string) error {
	begin := time.Now().UnixNano() // later than any turn of the child before
	var saying sync.Mutex
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := int64(0); ; i++ {
				id := fmt.Sprintf("w%d-%d", w, i%20)
				if err := s.Put(context.Background(), turn(id, begin+i)); err != nil {
					failed <- err
					return
				}
				saying.Lock()
				fmt.Println(id, begin+i)
				saying.Unlock()
			}
		}()
	}
	return <-failed
}

// fillTheDisk is the child of the full disk test.
func fillTheDisk(s *boltstore.Store, path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	limit := free
	limit.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	stored, refused := 0, 0
	for i := int64(0); refused < 5; i++ {
		id := fmt.Sprintf("n%d", i)
		err := s.Put(context.Background(), turn(id, i))
		switch {
		case err == nil:
			stored++
			fmt.Println(id, i)
		case !strings.Contains(err.Error(), "may not grow any more") || !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path):
			return fmt.Errorf("the error does not say that the file may not grow: %w", err)
		default:
			refused++
		}
		if i > 100_000 {
			return errors.New("the disk never was full")
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	for i := range int64(50) {
		id := fmt.Sprintf("after%d", i)
		if err := s.Put(context.Background(), turn(id, i)); err != nil {
			return fmt.Errorf("there is room again, and still: %w", err)
		}
		fmt.Println(id, i)
	}
	return s.Close()
}
