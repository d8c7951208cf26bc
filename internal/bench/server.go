//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// server is a real one, in a process of its own.
type server struct {
	cmd    *exec.Cmd
	dir    string
	url    string
	token  string
	client *http.Client
	log    bytes.Buffer
}

// servers measures real ones: over the big fleet, which lies in dir, and over
// smaller ones.
func servers(ctx context.Context, dir string, z sizes, t *table) error {
	program := filepath.Join(dir, "muster")
	if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, out)
	}
	big := filepath.Join(dir, "data")
	if err := serve(ctx, program, big, z.nodes, t, 15*time.Second, 1300*mb*int64(z.nodes)/100_000, true); err != nil {
		return err
	}
	for _, small := range []struct {
		nodes  int
		within time.Duration
		most   int64
	}{{z.small, 0, 120 * mb}, {z.restart, time.Second, 0}} {
		if small.nodes == 0 {
			continue
		}
		data := filepath.Join(dir, fmt.Sprint("data", small.nodes))
		if err := fill(ctx, data, small.nodes); err != nil {
			return err
		}
		if err := serve(ctx, program, data, small.nodes, t, small.within, small.most, false); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a data folder.
func fill(ctx context.Context, dir string, nodes int) error {
	f, err := openFleet(ctx, dir, nodes, &table{quiet: true})
	if err != nil {
		return err
	}
	return f.close()
}

// serve starts a server over a data folder and measures it.
func serve(ctx context.Context, program, dir string, nodes int, t *table, within time.Duration, most int64, requests bool) error {
	// The first start makes keys, which is no restart's work.
	s, _, err := start(ctx, program, dir, nodes)
	if err == nil {
		err = s.stop()
	}
	if err != nil {
		return err
	}
	s, took, err := start(ctx, program, dir, nodes)
	if err != nil {
		return err
	}
	_, used, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return errors.Join(err, s.stop())
	}
	if within > 0 {
		t.add(row{
			what: fmt.Sprintf("restart to the first correct answer, %d nodes", nodes), target: "< " + short(within), figure: short(took),
			wall: short(took), met: met(took < within), naive: "cpu " + short(used),
		})
	}
	if requests {
		if err = s.requests(ctx, t); err == nil {
			err = s.storms(ctx, t)
		}
	}
	if err == nil && most > 0 {
		err = s.memory(ctx, nodes, t, most)
	}
	return errors.Join(err, s.stop())
}

// start runs a server, and returns once it has given a correct answer, and how
// long that took.
func start(ctx context.Context, program, dir string, nodes int) (*server, time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	address := listener.Addr().String()
	_ = listener.Close() // the server takes the port
	settings := filepath.Join(dir, "bench.yaml")
	volatile, err := json.Marshal(volatile())
	if err != nil {
		return nil, 0, err
	}
	if err := os.WriteFile(settings, fmt.Appendf(nil, "serve:\n  tls: true\n  rate: 5000\n  forwarders: [%s]\n  volatile: %s\n", forwarders(), volatile), 0o600); err != nil {
		return nil, 0, err
	}
	s := &server{dir: dir, url: "https://" + address}
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // our own, on loopback
	s.cmd = exec.CommandContext(ctx, program, "--config", settings, "serve", "--listen", address, "--stomp-listen", "127.0.0.1:0", "--data", dir)
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_STATE_HOME="+dir, "MUSTER_RUN_FILE="+filepath.Join(dir, "run.json"))
	s.cmd.Stderr, s.cmd.Stdout = &s.log, &s.log
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, 0, err
	}
	for {
		total, err := s.total(ctx, "kernel=Linux")
		switch {
		case err == nil && total == nodes:
			return s, time.Since(began), nil
		case err == nil:
			return nil, 0, errors.Join(fmt.Errorf("the server answers before it knows: %d of %d nodes", total, nodes), s.stop())
		case ctx.Err() != nil, time.Since(began) > 5*time.Minute:
			return nil, 0, errors.Join(fmt.Errorf("the server gives no answer: %w\n%s", err, s.log.String()), s.stop())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	_ = s.cmd.Wait() // how it ends when it is interrupted is its own business
	return nil
}

// get asks, and reads the answer.
func (s *server) get(ctx context.Context, path string, into any) error {
	if s.token == "" {
		text, err := os.ReadFile(filepath.Join(s.dir, "admin.token"))
		if err != nil {
			return err
		}
		s.token = strings.TrimSpace(string(text))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (s *server) total(ctx context.Context, text string) (int, error) {
	var answer struct{ Total int }
	err := s.get(ctx, "/v1/search?limit=1&state=any&q="+url.QueryEscape(text), &answer)
	return answer.Total, err
}

// requests measures whole requests, by the processor time of the server.
func (s *server) requests(ctx context.Context, t *table) error {
	const n = 2000
	path := "/v1/search?limit=100&state=any&q=" + url.QueryEscape("rack=ams1-r07")
	var answer struct{ Count, Total int }
	if err := s.get(ctx, path, &answer); err != nil {
		return err
	}
	_, before, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	for range n {
		if err := s.get(ctx, path, &answer); err != nil {
			return err
		}
	}
	wall := time.Since(began)
	_, after, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	t.time(fmt.Sprintf("whole request over HTTP and TLS: %d of %d names", answer.Count, answer.Total), 600*time.Microsecond, figure{(after - before) / n, wall / n, 0}, 0)
	return nil
}

// memory measures what the server holds after a while of work.
func (s *server) memory(ctx context.Context, nodes int, t *table, most int64) error {
	for i := range 200 {
		if _, err := s.total(ctx, questions[i%len(questions)].text); err != nil {
			return err
		}
	}
	bytes, _, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	t.note(fmt.Sprintf("resident memory of the server, %d nodes, after 200 queries", nodes), fmt.Sprintf("< %d MB", most/mb), fmt.Sprintf("%d MB", bytes/mb), bytes < most)
	return nil
}
