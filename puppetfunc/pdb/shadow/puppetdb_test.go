//go:build puppetdb

package shadow_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"muster/puppetfunc/pdb/shadow"
)

var (
	update  = flag.Bool("update", false, "record what the PuppetDB answers")
	running = flag.String("puppetdb", "", "URL of a PuppetDB that is empty, or was fed by this test before; else one is started")
)

// The same, against a PuppetDB that is asked now.
func TestAgainstPuppetDB(t *testing.T) {
	theirs, ours := &site{*running, &http.Client{Timeout: time.Minute}}, muster(t)
	if *running == "" {
		theirs = startPuppetDB(t)
	}
	if !theirs.fed(t) {
		theirs.feed(t)
	}
	ours.feed(t)
	wait(t, "PuppetDB's queue", 10*time.Minute, func() bool { return theirs.status(t) == 0 && theirs.fed(t) })
	c := &comparison{site: ours, ours: ours.nodes(t), theirs: theirs.nodes(t), why: map[string]int{}}
	// Fed the same, both say the same of each node: what differs in answers is by rule.
	for name, n := range c.ours {
		if their := c.theirs[name]; their == nil || !slices.Equal(their.Classes, n.Classes) || !reflect.DeepEqual(their.Facts, n.Facts) {
			t.Errorf("of %s the PuppetDB says %+v, and muster %+v", name, their, n)
			break
		}
	}
	answers, order := map[string][]string{}, []string{}
	all := shadow.Questions(fleet(), asked, seed)
	texts, failures := theirs.askAll(t, all)
	for i, q := range all {
		answer, err := texts[i], failures[i]
		switch {
		case len(order) == questions, err != nil && strings.Contains(err.Error(), "timeout"):
			continue // a plan of PostgreSQL's that takes minutes
		case err != nil:
			t.Errorf("PuppetDB does not understand %s: %v", q.Text, err)
			continue
		}
		names, err := shadow.ReadNames(answer)
		if err != nil {
			t.Fatal(err)
		}
		answers[q.Text], order = names, append(order, q.Text)
		c.compare(t, q, names)
	}
	c.report(t)
	if *update {
		writeRecording(t, order, answers)
	}
}

// startPuppetDB runs Debian's PuppetDB on a PostgreSQL of its own, on loopback,
// until the test ends. Neither runs as root.
func startPuppetDB(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	who := servant(t, dir)
	database, port := freePort(t), freePort(t)
	bin := programs(t)
	run(t, who, filepath.Join(bin, "initdb"), "-D", dir+"/pg", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres")
	start(t, who, filepath.Join(bin, "postgres"), "-D", dir+"/pg", "-h", "127.0.0.1", "-p", database, "-k", dir, "-c", "fsync=off")
	sql := func(name string, statements ...string) {
		for _, statement := range statements {
			run(t, who, filepath.Join(bin, "psql"), "-h", "127.0.0.1", "-p", database, "-U", "postgres", "-c", statement, name)
		}
	}
	wait(t, "PostgreSQL", time.Minute, func() bool {
		return exec.CommandContext(t.Context(), filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", database).Run() == nil
	})
	sql("postgres", "create role puppetdb login", "alter role puppetdb set statement_timeout = '30s'", "create database puppetdb owner puppetdb")
	sql("puppetdb", "create extension pg_trgm")
	config := fmt.Sprintf("[global]\nvardir = %s/var\n[command-processing]\nthreads = 1\n[database]\nsubname = //127.0.0.1:%s/puppetdb\nusername = puppetdb\npassword = x\ngc-interval = 0\n"+
		"[jetty]\nhost = 127.0.0.1\nport = %s\n[nrepl]\nenabled = false\n[puppetdb]\ndisable-update-checking = true\n", dir, database, port)
	run(t, who, "mkdir", dir+"/var", dir+"/tmp")
	write(t, dir+"/conf.d/puppetdb.ini", config)
	rules, err := os.ReadFile("/etc/puppetdb/conf.d/auth.conf")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/conf.d/auth.conf", string(rules))
	ended := start(t, who, "java", "-Xmx512m", "-Dclojure.main.report=stderr", "-Djava.io.tmpdir="+dir+"/tmp", "-cp", "/usr/share/puppetdb/puppetdb.jar", "clojure.main", "-m", "puppetlabs.puppetdb.core", "services",
		"--config", dir+"/conf.d", "--bootstrap-config", "/etc/puppetdb/bootstrap.cfg", "--restart-file", dir+"/restart")
	s := &site{"http://127.0.0.1:" + port, &http.Client{Timeout: time.Minute}}
	wait(t, "PuppetDB", 5*time.Minute, func() bool {
		select {
		case <-ended:
			t.Fatal("PuppetDB ended")
		default:
		}
		return s.status(t) == 0
	})
	return s
}

// askAll asks several questions at a time.
func (s *site) askAll(t *testing.T, all []shadow.Question) (answers [][]byte, failures []error) {
	t.Helper()
	answers, failures = make([][]byte, len(all)), make([]error, len(all))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(all) && !t.Failed(); i = next.Add(1) - 1 {
				answers[i], failures[i] = s.ask(t, all[i].Text)
				if i%100 == 0 {
					t.Logf("%d questions are asked", i)
				}
			}
		})
	}
	workers.Wait()
	return answers, failures
}

// fed reports whether a PuppetDB has the whole fleet.
func (s *site) fed(t *testing.T) bool {
	t.Helper()
	for _, entity := range []string{"inventory", "catalogs"} {
		count, err := s.ask(t, entity+"[count()] { }")
		if err != nil || !strings.Contains(string(count), fmt.Sprint(fleetSize)) {
			return false
		}
	}
	return true
}

// status is how many commands wait; -1 while it is not running.
func (s *site) status(t *testing.T) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/status/v1/services", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client.Do(r)
	if err != nil {
		return -1
	}
	defer res.Body.Close()
	var services map[string]struct {
		State  string
		Status struct {
			Queue int `json:"queue_depth"`
		}
	}
	if json.NewDecoder(res.Body).Decode(&services) != nil || services["puppetdb-status"].State != "running" {
		return -1
	}
	return services["puppetdb-status"].Status.Queue
}

// servant is who runs the programs, and owns dir: PostgreSQL refuses root.
func servant(t *testing.T, dir string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for _, path := range []string{filepath.Dir(dir), dir} {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// programs is the folder of PostgreSQL's newest version.
func programs(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Fatalf("there is no PostgreSQL: %v", err)
	}
	return found[len(found)-1]
}

func command(ctx context.Context, who *syscall.Credential, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGKILL}
	return c
}

func run(t *testing.T, who *syscall.Credential, name string, args ...string) {
	t.Helper()
	if out, err := command(t.Context(), who, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// start runs a program until the test ends, and tells when it has ended.
func start(t *testing.T, who *syscall.Credential, name string, args ...string) (ended <-chan struct{}) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := command(context.WithoutCancel(t.Context()), who, name, args...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT) // PostgreSQL's fast shutdown
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-done
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s said\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return done
}

func wait(t *testing.T, what string, most time.Duration, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !ready(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is not ready after %v", what, most)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeRecording(t *testing.T, order []string, answers map[string][]string) {
	t.Helper()
	number := map[string]int{}
	for i, n := range fleet() {
		number[n.Certname] = i
	}
	var out bytes.Buffer
	for _, question := range order {
		set := make([]byte, (fleetSize+7)/8)
		for _, name := range answers[question] {
			set[number[name]/8] |= 1 << (number[name] % 8)
		}
		fmt.Fprintf(&out, "%s\t%s\n", question, hex.EncodeToString(set))
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(recording, e.EncodeAll(out.Bytes(), nil), 0o644); err != nil {
		t.Fatal(err)
	}
}
