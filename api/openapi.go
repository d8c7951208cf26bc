package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// shapes.json says of each route what it is for, what it takes, and what it
// answers; the rest of the document is made from the table of routes.
//
//go:embed openapi/shapes.json
var shapesJSON []byte

type shapes struct {
	Schemas    map[string]any       `json:"schemas"`
	Parameters map[string]any       `json:"parameters"`
	Operations map[string]operation `json:"operations"`
}

type operation struct {
	About      string         `json:"about"`
	Parameters []any          `json:"parameters"`
	Body       any            `json:"body"`
	BodyType   string         `json:"bodyType"`
	Answer     any            `json:"answer"` // nil: no JSON
	Types      []string       `json:"types"`  // of the answer
	Answers    map[string]any `json:"answers"`
}

// theirs are the routes that speak as PuppetDB does: its documents hold.
var theirs = []string{"/pdb/", "/status/"}

// OpenAPI returns the document that describes every route, in OpenAPI 3.1. The
// error names a route of which shapes.json says nothing, or the other way round.
func OpenAPI() ([]byte, error) {
	s := &Server{metrics: newMetrics(nil, slog.Default(), nil)}
	return openAPI(s.table())
}

func openAPI(table []route) ([]byte, error) {
	var known shapes
	if err := json.Unmarshal(shapesJSON, &known); err != nil {
		return nil, fmt.Errorf("the shapes of the routes: %w", err)
	}
	paths := map[string]map[string]any{}
	for _, r := range table {
		op, ok := known.Operations[r.name()]
		switch {
		case ok:
			delete(known.Operations, r.name())
		case slices.ContainsFunc(theirs, func(prefix string) bool { return strings.HasPrefix(r.path, prefix) }):
			op = operation{About: "As PuppetDB has it.", Types: []string{echo.MIMEApplicationJSON}, Answer: map[string]any{}, Answers: map[string]any{"5XX": map[string]any{}}, BodyType: echo.MIMEApplicationJSON}
			if r.body > 0 {
				op.Body = map[string]any{}
			}
		default:
			return nil, fmt.Errorf("api/openapi/shapes.json says nothing of %s", r.name())
		}
		path := templated(r.path)
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(r.method)] = r.described(op)
	}
	for name := range known.Operations {
		return nil, fmt.Errorf("api/openapi/shapes.json describes %s, which is no route", name)
	}
	return marshalled(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "muster", "version": "1",
			"description": "The registry of a fleet: who is asked for, and what nodes say. An error is a status of 400 or above, never an empty list.",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas": known.Schemas, "parameters": known.Parameters,
			"securitySchemes": map[string]any{
				"token":       map[string]any{"type": "http", "scheme": "bearer"},
				"certificate": map[string]any{"type": "mutualTLS"},
			},
		},
	})
}

func marshalled(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(v)
	return out.Bytes(), err
}

// templated writes /v1/nodes/:identity as /v1/nodes/{identity}.
func templated(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// described is a route as an operation of the document.
func (r route) described(op operation) map[string]any {
	failure, kinds := map[string]any{"$ref": "#/components/schemas/Error"}, []string{echo.MIMEApplicationJSON}
	if strings.HasPrefix(r.path, pdbPath) { // JSON only says that there is no such node
		failure, kinds = map[string]any{}, append(kinds, echo.MIMETextPlain)
	}
	answers := map[string]any{"4XX": failure, "5XX": failure}
	maps.Copy(answers, op.Answers)
	responses := map[string]any{"200": answerOf("what was asked for", op.Answer, op.Types)}
	for status, schema := range answers {
		responses[status] = answerOf("what went wrong, or only in part", schema, kinds)
	}
	if taggedRoutes[r.path] && r.method == http.MethodGet {
		responses["304"] = map[string]any{"description": "the asker has the answer (If-None-Match)"}
	}
	out := map[string]any{"operationId": operationID(r), "summary": op.About, "responses": responses, "x-roles": r.roles}
	if len(op.Parameters) > 0 {
		out["parameters"] = op.Parameters
	}
	if op.Body != nil {
		out["requestBody"] = map[string]any{"content": map[string]any{op.BodyType: map[string]any{"schema": op.Body}}}
	}
	out["security"] = []any{map[string]any{"token": []any{}}, map[string]any{"certificate": []any{}}}
	if slices.Contains(r.roles, Anyone) {
		out["security"] = []any{}
	}
	return out
}

func answerOf(about string, schema any, types []string) map[string]any {
	content := map[string]any{}
	for _, kind := range types {
		content[kind] = map[string]any{}
		if schema != nil && kind == echo.MIMEApplicationJSON {
			content[kind] = map[string]any{"schema": schema}
		}
	}
	return map[string]any{"description": about, "content": content}
}

// operationID is a route's name as programs can use it: get_v1_nodes_identity.
func operationID(r route) string {
	name := strings.NewReplacer("/", "_", ":", "", "-", "_", ".", "_").Replace(r.path)
	return strings.ToLower(r.method) + name
}

// openapi answers with the document.
func (s *Server) openapi(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	text, err := openAPI(s.routes)
	if err != nil {
		return fail(http.StatusInternalServerError, "%v", err)
	}
	return write(c, http.StatusOK, echo.MIMEApplicationJSON, text)
}
