package api

import (
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"muster/query"
	"muster/registry"
)

// ask is what a search asks for, however it was written: as query parameters,
// as a form, or as JSON.
type ask struct {
	filters     query.Filters
	fields      []string // empty: names only
	sort        string
	limit       int // 0: none
	cursor      string
	states      []registry.State
	collectives []string
	format      string // json, ndjson or text
	strict      string // where a fact that no node has is an error: error (the query, the fields), query, or empty: nowhere
	compiled    bool   // classes are those of compiled catalogs
}

// The keys of a search. Those of the filters are all ANDed, several
// identities ORed, as on the command line.
var askKeys = []string{
	"q", "dialect", "param", "params", "positional", "with", "select", "fact", "class", "agent", "identity",
	"fields", "sort", "limit", "cursor", "state", "collective", "format", "unknown", "source", "ask",
}

// readAsk reads a search from a request.
func (s *Server) readAsk(c echo.Context) (*ask, error) {
	a, err := s.readKeys(c)
	if err == nil && a.compiled && c.Path() != "/v1/search" {
		return nil, fail(http.StatusBadRequest, "only /v1/search can look at compiled classes alone").hint("leave source out")
	}
	return a, err
}

func (s *Server) readKeys(c echo.Context) (*ask, error) {
	a := &ask{format: "json", filters: query.Filters{Saved: s.Saved}}
	r := c.Request()
	if err := a.readValues(c.QueryParams()); err != nil {
		return nil, err
	}
	if r.Method != http.MethodPost {
		return a, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); kind == echo.MIMEApplicationForm && !strings.HasPrefix(string(body), "{") {
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, fail(http.StatusBadRequest, "the form cannot be read: %v", err)
		}
		return a, a.readValues(values)
	}
	return a, a.readJSON(body)
}

func (a *ask) readValues(values url.Values) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if key == "param" || key == "params" {
			a.bindTexts(values[key])
			continue
		}
		if key == "ask" { // as a body would have it: typed parameters, and yet a GET, which can be asked again with its ETag
			if err := a.readJSON([]byte(values.Get(key))); err != nil {
				return err
			}
			continue
		}
		if err := a.set(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// readJSON reads an object of the same keys. Keys given twice, or in a
// spelling of their own, are refused.
func (a *ask) readJSON(body []byte) error {
	var object map[string]jsontext.Value
	if err := json.Unmarshal(body, &object); err != nil {
		return fail(http.StatusBadRequest, "the body is not a JSON object: %s", jsonProblem(err)).
			hint(`send {"q":"customer=acme mysql::master"}, or use GET`)
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		value := object[key]
		var err error
		if key == "param" || key == "params" || key == "positional" {
			err = a.bindJSON(value)
		} else if texts, ok := jsonTexts(value); ok {
			err = a.set(key, texts)
		} else {
			err = fail(http.StatusBadRequest, "%q must be a string, a number, or a list of strings", cut(key, 60))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *ask) set(key string, texts []string) error {
	switch key {
	case "with":
		a.filters.With = texts
	case "select":
		a.filters.Select = texts
	case "fact":
		a.filters.Fact = texts
	case "class":
		a.filters.Class = texts
	case "agent":
		a.filters.Agent = texts
	case "identity":
		a.filters.Identity = texts
	case "collective":
		a.collectives = listed(texts)
	case "fields":
		a.fields = listed(texts)
	case "q", "dialect", "sort", "limit", "cursor", "state", "format", "unknown", "source":
		if len(texts) != 1 {
			return fail(http.StatusBadRequest, "%q is given %d times", key, len(texts))
		}
		return a.setOne(key, texts[0])
	default:
		return unknownKey("parameter", key, askKeys)
	}
	return nil
}

func (a *ask) setOne(key, text string) (err error) {
	switch key {
	case "q":
		a.filters.Query = text
	case "dialect":
		a.filters.Dialect, err = query.ParseDialect(text)
	case "sort":
		a.sort = text
	case "cursor":
		a.cursor = text
	case "limit":
		a.limit, err = strconv.Atoi(text)
		if err != nil || a.limit < 1 {
			err = fmt.Errorf("limit must be a whole number of 1 or more, not %q", cut(text, 60))
		}
	case "state":
		a.states, err = registry.ParseStates(text)
	case "format":
		if a.format = text; text != "json" && text != "ndjson" && text != "text" {
			err = fmt.Errorf("there is no format %q; there are json, ndjson and text", cut(text, 60))
		}
	case "unknown":
		if a.strict = text; text == "warn" {
			a.strict = ""
		} else if text != "error" && text != "query" {
			err = fmt.Errorf("unknown must be warn, query or error, not %q", cut(text, 60))
		}
	case "source":
		if a.compiled = text == "catalog"; !a.compiled && text != "any" {
			err = fmt.Errorf("source must be catalog or any, not %q", cut(text, 60))
		}
	}
	if err != nil {
		return fail(http.StatusBadRequest, "%v", err)
	}
	return nil
}

// listed splits what was given with commas, repeated, or both.
func listed(texts []string) []string {
	var out []string
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

var named = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// bindTexts reads param=NAME=VALUE, and param=VALUE for the next ?. A value
// that could be taken for the first form is written with a = before it.
func (a *ask) bindTexts(texts []string) {
	for _, text := range texts {
		if named.MatchString(text) {
			name, value, _ := strings.Cut(text, "=")
			a.bind(name, value)
			continue
		}
		a.filters.Positional = append(a.filters.Positional, strings.TrimPrefix(text, "="))
	}
}

// bindJSON reads an object for $names, or a list for each ?.
func (a *ask) bindJSON(value jsontext.Value) error {
	v, err := jsonValue(value)
	if err != nil {
		return fail(http.StatusBadRequest, "param: %s", jsonProblem(err))
	}
	switch v := v.(type) {
	case []any:
		a.filters.Positional = append(a.filters.Positional, v...)
	case map[string]any:
		for name, value := range v {
			a.bind(name, value)
		}
	default:
		return fail(http.StatusBadRequest, "param must be an object for $names, or a list for each ?")
	}
	return nil
}

func (a *ask) bind(name string, value any) {
	if a.filters.Named == nil {
		a.filters.Named = map[string]any{}
	}
	a.filters.Named[name] = value
}
