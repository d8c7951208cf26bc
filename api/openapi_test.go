package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"muster/api"
)

// document is what OpenAPI says, and the schemas in it.
type document struct {
	paths    map[string]map[string]any
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema // by where they stand
}

// theDocument is read once for all tests.
var theDocument = sync.OnceValues(func() (*document, error) {
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d := &document{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.AssertFormat()
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource("openapi.json", whole); err != nil {
		return nil, err
	}
	var read struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	d.paths = read.Paths
	return d, nil
})

func (d *document) schema(where string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[where]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile("openapi.json#" + where)
	d.schemas[where] = s
	return s, err
}

// pathOf is the document's path that a request's path is one of.
func (d *document) pathOf(path string) string {
	parts := strings.Split(path, "/")
	for known := range d.paths {
		wanted := strings.Split(known, "/")
		fits := len(wanted) == len(parts)
		for i := 0; fits && i < len(parts); i++ {
			fits = wanted[i] == parts[i] || strings.HasPrefix(wanted[i], "{")
		}
		if fits && (path == known || d.paths[path] == nil) {
			return known
		}
	}
	return ""
}

// conforms holds a real answer against the document.
func conforms(t interface{ Fatalf(string, ...any) }, method, target string, status int, contentType string, body []byte) {
	d, err := theDocument()
	if err != nil {
		t.Fatalf("the document: %v", err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	path := d.pathOf(u.EscapedPath())
	op, ok := d.paths[path][strings.ToLower(method)].(map[string]any)
	if !ok {
		return // no route: 404 or 405
	}
	kind, _, _ := strings.Cut(contentType, ";")
	responses, _ := op["responses"].(map[string]any)
	key := strconv.Itoa(status)
	if responses[key] == nil {
		key = key[:1] + "XX"
	}
	response, ok := responses[key].(map[string]any)
	if !ok {
		t.Fatalf("%s %s answered %d, of which the document does not know", method, path, status)
	}
	content, _ := response["content"].(map[string]any)
	if status == 304 || len(content) == 0 {
		return
	}
	media, ok := content[kind].(map[string]any)
	if !ok {
		t.Fatalf("%s %s answered %d as %q, of which the document does not know", method, path, status, kind)
	}
	if media["schema"] == nil {
		return
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	where := fmt.Sprintf("/paths/%s/%s/responses/%s/content/%s/schema", escape.Replace(path), strings.ToLower(method), key, escape.Replace(kind))
	schema, err := d.schema(where)
	if err != nil {
		t.Fatalf("the document at %s: %v", where, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Fatalf("%s %s answered %d, which is not what the document says: %v\n%.2000s", method, target, status, err, body)
	}
}

// Every route is described, every schema in the document can be read, and the
// file in docs is the document.
func TestOpenAPI(t *testing.T) {
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../docs/openapi.json", string(text))
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.paths {
		for method, op := range methods {
			op, _ := op.(map[string]any)
			if op["summary"] == "" || op["operationId"] == "" {
				t.Errorf("%s %s says nothing of itself", method, path)
			}
			for part := range strings.SplitSeq(path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok && !strings.HasPrefix(path, "/pdb/") && !strings.Contains(fmt.Sprint(op["parameters"]), "name:"+strings.TrimSuffix(name, "}")) {
					t.Errorf("%s %s does not describe %s", method, path, part)
				}
			}
			schemasIn(t, d, "/paths/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(path)+"/"+method, op)
		}
	}
	s := quiet(t, api.Config{Registry: &fake{}})
	if served := ask(t, s, "/v1/openapi.json", nil); served.Code != 200 || !bytes.Equal(served.Body.Bytes(), text) {
		t.Errorf("served %d, %d bytes", served.Code, served.Body.Len())
	}
	if len(s.Rows()) != strings.Count(string(text), `"operationId"`) {
		t.Errorf("%d routes, %d operations", len(s.Rows()), strings.Count(string(text), `"operationId"`))
	}
	if _, err := os.Stat("../docs/openapi.json"); err != nil {
		t.Error(err)
	}
}

// schemasIn compiles all schemas below a place.
func schemasIn(t *testing.T, d *document, where string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			at := where + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
			if k == "schema" {
				if _, err := d.schema(at); err != nil {
					t.Errorf("%s: %v", at, err)
				}
				continue
			}
			schemasIn(t, d, at, e)
		}
	case []any:
		for i, e := range v {
			schemasIn(t, d, where+"/"+strconv.Itoa(i), e)
		}
	}
}
