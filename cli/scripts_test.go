package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/api"
	"muster/cli"
	"muster/registry"
	"muster/registry/registrytest"
)

// TestFleetScripts asks by muster find, of a server.
func TestFleetScripts(t *testing.T) {
	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		return byFind{serving(t, fleet)}
	})
}

// TestFleetScriptsByMatch asks by muster match, of a file, in which are the
// nodes in the states that are asked for.
func TestFleetScriptsByMatch(t *testing.T) {
	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		return byMatch{serving(t, fleet)}
	})
}

// serving holds the fleet behind a server, and runs commands.
func serving(t *testing.T, fleet []registry.Registration) commands {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, reg := range fleet {
		if _, err := r.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return commands{t, h.URL}
}

type commands struct {
	t      *testing.T
	server string
}

type byFind struct{ commands }

// Ask implements registrytest.Asker.
func (b byFind) Ask(ctx context.Context, q registrytest.Question) ([]string, error) {
	return b.run(ctx, append([]string{"find", "--quiet", "--server", b.server}, flagsOf(q)...)...)
}

type byMatch struct{ commands }

// Ask implements registrytest.Asker.
func (b byMatch) Ask(ctx context.Context, q registrytest.Question) ([]string, error) {
	response, err := http.Get(b.server + "/v1/search?fields=*&format=ndjson&state=" + q.State)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	documents, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.t.TempDir(), "nodes.ndjson")
	if err := os.WriteFile(file, documents, 0o600); err != nil {
		return nil, err
	}
	q.State = ""
	return b.run(ctx, append(append([]string{"match", "--quiet"}, flagsOf(q)...), file)...)
}

// run runs a command and returns the words it prints.
func (b commands) run(ctx context.Context, args ...string) ([]string, error) {
	home := b.t.TempDir()
	surroundings := map[string]string{"XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "MUSTER_RUN_FILE": filepath.Join(home, "none")}
	var stdout, stderr bytes.Buffer
	status := cli.Run(ctx, cli.Env{
		Name: "muster", Args: args, Stdin: strings.NewReader(""),
		Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return surroundings[name] }, Home: home, Now: time.Now,
	})
	switch status {
	case 0, 1:
		if stderr.Len() > 0 {
			return nil, errors.New(stderr.String())
		}
		return append([]string{}, strings.Fields(stdout.String())...), nil
	case 2:
		if mistake := registrytest.MistakeOf(stderr.String()); mistake != nil {
			return nil, mistake
		}
	}
	return nil, fmt.Errorf("status %d: %s", status, stderr.String())
}

// flagsOf is a question as it is typed.
func flagsOf(q registrytest.Question) (flags []string) {
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				flags = append(flags, flag, v)
			}
		}
	}
	add("-W", q.Filters.With...)
	add("-S", q.Filters.Select...)
	add("-F", q.Filters.Fact...)
	add("-C", q.Filters.Class...)
	add("-A", q.Filters.Agent...)
	add("-I", q.Filters.Identity...)
	add("-Q", q.Filters.Query)
	add("--dialect", string(q.Filters.Dialect))
	add("--state", q.State)
	add("-T", q.Collective)
	for name, value := range q.Filters.Named {
		add("--param", fmt.Sprintf("%s=%v", name, value))
	}
	if q.Limit > 0 {
		add("--limit", fmt.Sprint(q.Limit))
	}
	return flags
}
