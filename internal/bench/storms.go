//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"muster/internal/pki"
	"muster/registry/index/indextest"
)

// puppetserver are the names of those who ask in storms: forwarders, each with
// a certificate.
func puppetserver(i int) string { return fmt.Sprintf("puppet%02d.example.net", i) }

const manyPuppetservers = 10

// forwarders are all of them, as settings list them.
func forwarders() string {
	var names []string
	for i := range manyPuppetservers {
		names = append(names, puppetserver(i))
	}
	return strings.Join(names, ", ")
}

// puppetservers makes their certificates, in folders below dir.
func puppetservers(authority *pki.Authority, dir string) (dirs []string, err error) {
	for i := range manyPuppetservers {
		key, err := pki.NewKey()
		if err != nil {
			return nil, err
		}
		cert, err := authority.Issue(key.Public(), pki.Grant{Name: puppetserver(i)})
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, filepath.Join(dir, puppetserver(i)))
		if err := (&pki.KeyPair{Key: key, Chain: []*x509.Certificate{cert}, CA: authority.Accepted()}).Save(dirs[i]); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// compilations are the questions of many catalogs, as the function search_nodes
// sends them: the masters of a customer's databases in an environment, with bound
// values and as a document. Customers with many nodes ask more.
// Of n questions at most 300 differ, unless all shall, by limits that do not matter.
func compilations(n int, differ bool) (paths []string) {
	for i := range n {
		facts := indextest.Fleet{}.Node(i % 300).Facts
		asked := map[string]any{"unknown": "error"}
		if i%2 == 0 {
			asked["q"], asked["param"] = "customer=? environment=? mysql::master", []any{facts["customer"], facts["environment"]}
		} else {
			asked["q"] = fmt.Sprintf("{'facts.customer': '%s', 'facts.environment': '%s', classes: 'mysql::master'}", facts["customer"], facts["environment"])
		}
		if differ {
			asked["limit"] = 1_000_000 + i
		}
		text, err := json.Marshal(asked)
		if err != nil {
			panic(err) // texts have JSON
		}
		paths = append(paths, "/v1/search?"+url.Values{"ask": {string(text)}}.Encode())
	}
	return paths
}

// storms measures what a server takes for each of many requests.
func (s *server) storms(ctx context.Context, t *table) error {
	authority, err := pki.LoadAuthority(filepath.Join(s.dir, "ca"), time.Now)
	if err != nil {
		return err
	}
	keys, err := puppetservers(authority, filepath.Join(s.dir, "puppetservers"))
	if err != nil {
		return err
	}
	address := strings.TrimPrefix(s.url, "https://")
	closed := storm{Address: address, Keys: keys, Connections: 32, Warmup: 2, Seconds: 8, Paths: compilations(300, false)}
	w, used, err := closed.brew(ctx, s.cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("32 askers: %w\n%s", err, s.lately())
	}
	size := w.Bytes / w.Count
	t.time(fmt.Sprintf("search_nodes, 32 clients one after the other: the server's share (%.0f/s, %d bytes each)", float64(w.Count)/w.Wall.Seconds(), size), 150*time.Microsecond, used, 0)
	t.time("the same: the clients' share", 0, figure{cpu: w.CPU / time.Duration(w.Count), wall: used.wall}, 0)
	others := closed
	others.Paths = compilations(20_000, true)
	if w, used, err = others.brew(ctx, s.cmd.Process.Pid); err != nil {
		return fmt.Errorf("32 askers of other questions: %w\n%s", err, s.lately())
	}
	t.time(fmt.Sprintf("the same, nobody asks what another did: the server's share (%.0f/s)", float64(w.Count)/w.Wall.Seconds()), 0, used, 0)
	if err := comparePeer(ctx, closed, size, t); err != nil {
		return err
	}
	open := closed
	open.Connections, open.PerSecond, open.Seconds = 1000, 5000, 10
	if w, used, err = open.brew(ctx, s.cmd.Process.Pid); err != nil {
		return fmt.Errorf("1000 connections: %w\n%s", err, s.lately())
	}
	what := fmt.Sprintf("search_nodes, open loop, %.0f/s over 1000 connections", float64(w.Count)/float64(open.Seconds))
	t.time(what+": the server's share", 0, used, 0)
	t.note(what+": the clients' share", "", short(w.CPU/time.Duration(w.Count)), true)
	t.note(what+": p50, on the wall", "", short(w.P50), true)
	t.note(what+": p99, on the wall", "< 20 ms", short(w.P99), w.P99 < 20*time.Millisecond)
	return nil
}

// brew has a process of its own ask a storm, and returns how that went, and what
// the server with that pid used for each request.
func (s storm) brew(ctx context.Context, pid int) (w weathered, used figure, err error) {
	text, err := json.Marshal(s)
	if err != nil {
		return w, used, err
	}
	child, err := ourselves(ctx, "storm")
	if err != nil {
		return w, used, err
	}
	var complaint bytes.Buffer
	child.Stdin, child.Stderr = bytes.NewReader(text), &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		return w, used, err
	}
	if err := child.Start(); err != nil {
		return w, used, err
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // it begins to count
	_, before, err := resident(pid)
	var line []byte
	if lines.Scan() {
		line = bytes.Clone(lines.Bytes())
	}
	_, after, e := resident(pid)
	if err = errors.Join(err, e, child.Wait()); err == nil {
		err = json.Unmarshal(line, &w)
	}
	if err != nil {
		return w, used, fmt.Errorf("%w: %s", err, complaint.String())
	}
	return w, figure{cpu: (after - before) / time.Duration(w.Count), wall: w.P50}, nil
}

// ourselves is this program in another role.
func ourselves(ctx context.Context, role ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	return exec.CommandContext(ctx, program, role...), err
}

// comparePeer asks the same of a bare server of net/http.
func comparePeer(ctx context.Context, s storm, size int, t *table) error {
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	child, err := ourselves(ctx, "peer", dir, strconv.Itoa(size))
	if err != nil {
		return err
	}
	stay, err := child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	s.Address, s.Keys = lines.Text(), nil
	for i := range manyPuppetservers {
		s.Keys = append(s.Keys, filepath.Join(dir, puppetserver(i)))
	}
	w, used, err := s.brew(ctx, child.Process.Pid)
	if err = errors.Join(err, stay.Close(), child.Wait()); err != nil {
		return fmt.Errorf("a bare server: %w", err)
	}
	t.time(fmt.Sprintf("peer: bare net/http with TLS, which sends as many bytes (%.0f/s)", float64(w.Count)/w.Wall.Seconds()), 0, used, 0)
	return nil
}

// lately is the end of what the server has logged.
func (s *server) lately() string {
	text := s.log.Bytes()
	return string(text[max(0, len(text)-2000):])
}
