package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/api"
	"muster/registry"
	"muster/registry/registrytest"
)

// TestFleetScripts asks over HTTP.
func TestFleetScripts(t *testing.T) {
	registrytest.RunScripts(t, "../testdata/fleet", func(t *testing.T, fleet []registry.Registration) registrytest.Asker {
		s, err := api.New(api.Config{Registry: realRegistry(t, fleet...), Open: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		h := httptest.NewServer(s)
		t.Cleanup(h.Close)
		return overHTTP{h}
	})
}

// overHTTP is a registrytest.Asker.
type overHTTP struct{ *httptest.Server }

func (h overHTTP) Ask(ctx context.Context, q registrytest.Question) ([]string, error) {
	body, err := json.Marshal(keysOf(q))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+"/v1/search", strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	response, err := h.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Nodes    []string
		Complete bool
		Count    int
		Error    *struct{ Message string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Error == nil && answer.Count == len(answer.Nodes):
		return answer.Nodes, nil
	case answer.Error == nil:
		return nil, fmt.Errorf("%d nodes are announced, %d are there", answer.Count, len(answer.Nodes))
	}
	if mistake := registrytest.MistakeOf(answer.Error.Message); mistake != nil && response.StatusCode == http.StatusBadRequest {
		return nil, mistake
	}
	return nil, fmt.Errorf("answered %d: %s", response.StatusCode, answer.Error.Message)
}

// keysOf is a question as the body of a search.
func keysOf(q registrytest.Question) map[string]any {
	keys := map[string]any{}
	for key, value := range map[string]string{
		"q": q.Filters.Query, "dialect": string(q.Filters.Dialect), "state": q.State, "collective": q.Collective,
	} {
		if value != "" {
			keys[key] = value
		}
	}
	for key, list := range map[string][]string{
		"with": q.Filters.With, "select": q.Filters.Select, "fact": q.Filters.Fact,
		"class": q.Filters.Class, "agent": q.Filters.Agent, "identity": q.Filters.Identity,
	} {
		if len(list) > 0 {
			keys[key] = list
		}
	}
	if q.Filters.Named != nil {
		keys["params"] = q.Filters.Named
	}
	if q.Limit > 0 {
		keys["limit"] = q.Limit
	}
	return keys
}
