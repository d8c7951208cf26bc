package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"muster/puppetfunc/pdb"
	"muster/query"
	"muster/registry"
)

// pdbPath is where queries of PuppetDB's clients are answered.
const pdbPath = "/pdb/query/v4"

// pdbRoutes are those of PuppetDB's queries; each takes GET and POST.
func (s *Server) pdbRoutes(ask, oneself []Role) []route {
	var routes []route
	for _, r := range []struct {
		path   string
		roles  []Role
		handle echo.HandlerFunc
	}{
		{"", ask, s.pdbAsk("")},
		{"/nodes", ask, s.pdbAsk("nodes")},
		{"/nodes/:identity", oneself, s.pdbNode},
		{"/nodes/:identity/facts", oneself, s.pdbAsk("facts")},
		{"/nodes/:identity/facts/:name", oneself, s.pdbAsk("facts")},
		{"/nodes/:identity/facts/:name/:value", oneself, s.pdbAsk("facts")},
		{"/nodes/:identity/resources", oneself, s.pdbAsk("resources")},
		{"/nodes/:identity/resources/:type", oneself, s.pdbAsk("resources")},
		{"/nodes/:identity/resources/:type/:title", oneself, s.pdbAsk("resources")},
		{"/inventory", ask, s.pdbAsk("inventory")},
		{"/facts", ask, s.pdbAsk("facts")},
		{"/facts/:name", ask, s.pdbAsk("facts")},
		{"/facts/:name/:value", ask, s.pdbAsk("facts")},
		{"/fact-contents", ask, s.pdbAsk("fact-contents")},
		{"/fact-names", ask, s.pdbFactNames},
		{"/environments", ask, s.pdbEnvironments},
		{"/resources", ask, s.pdbAsk("resources")},
		{"/resources/:type", ask, s.pdbAsk("resources")},
		{"/resources/:type/:title", ask, s.pdbAsk("resources")},
		{"/*", ask, s.pdbAsk("*")},
	} {
		routes = append(routes, route{"GET", pdbPath + r.path, r.roles, 0, r.handle}, route{"POST", pdbPath + r.path, r.roles, maxAsk, r.handle})
	}
	return routes
}

// pdbAsk answers a question about one of PuppetDB's entities, "" where the
// question says which. What is not held here is refused: clients take an empty
// list for the truth, and act on it.
func (s *Server) pdbAsk(endpoint string) echo.HandlerFunc {
	return func(c echo.Context) error {
		entity := endpoint
		if entity == "*" {
			entity = strings.TrimPrefix(c.Request().URL.Path, pdbPath+"/")
		}
		where, err := s.pdbWhere(c)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		q, err := pdb.Ask(entity, where, c.QueryParams(), body)
		if err != nil {
			return pdbMistake(err)
		}
		answer, total, err := s.pdbAnswer(c, q)
		if err != nil {
			return err
		}
		if q.Total {
			c.Response().Header().Set("X-Records", strconv.Itoa(total))
		}
		return write(c, http.StatusOK, echo.MIMEApplicationJSON, answer)
	}
}

func (s *Server) pdbAnswer(c echo.Context, q *pdb.Question) (answer []byte, total int, err error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	if q.Finds() {
		a, err := s.seen(c).Find(ctx, q.Discovery())
		if err != nil {
			return nil, 0, err
		}
		answer, total = q.Found(a)
		return answer, total, nil
	}
	table, err := s.seen(c).Rows(ctx, q.Discovery())
	if err != nil {
		return nil, 0, err
	}
	return q.Rows(table.Rows, s.seen(c).Node), len(table.Rows), nil
}

// pdbWhere are the conditions in the path of a request.
func (s *Server) pdbWhere(c echo.Context) (where []any, err error) {
	for _, name := range c.ParamNames() {
		text, err := part(c, name)
		if err != nil {
			return nil, err
		}
		field := name
		switch name {
		case "*":
			continue
		case "identity":
			if err := itself(c, text); err != nil {
				return nil, err
			}
			if _, err := s.nodeNamed(c, text); err != nil {
				return nil, err
			}
			field = "certname"
		}
		where = append(where, []any{"=", field, text})
	}
	return where, nil
}

func (s *Server) pdbNode(c echo.Context) error {
	name, err := part(c, "identity")
	if err != nil {
		return err
	}
	if err := itself(c, name); err != nil {
		return err
	}
	n, err := s.nodeNamed(c, name)
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, echo.MIMEApplicationJSON, pdb.Node(n))
}

func (s *Server) pdbFactNames(c echo.Context) error {
	return s.pdbList(c, "facts[name] { group by name order by name }", func(name any) any { return name })
}

func (s *Server) pdbEnvironments(c echo.Context) error {
	return s.pdbList(c, "inventory[environment] { environment ~ '' group by environment order by environment }", func(name any) any {
		return map[string]any{"name": name}
	})
}

// pdbList answers with the values of a query's only column.
func (s *Server) pdbList(c echo.Context, pql string, show func(any) any) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	q, err := query.Parse(pql, query.Options{Dialect: "pql"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Deadline)
	defer cancel()
	table, err := s.seen(c).Rows(ctx, registry.Discovery{Query: q})
	if err != nil {
		return err
	}
	list := make([]any, len(table.Rows))
	for i, row := range table.Rows {
		list[i] = show(row[0])
	}
	return write(c, http.StatusOK, echo.MIMEApplicationJSON, registry.AppendJSON(nil, list))
}

func pdbMistake(err error) error {
	f := failureOf(err)
	if f.status != http.StatusBadRequest {
		f = fail(http.StatusBadRequest, "%v", err)
	}
	return f
}

// answerPDBFailure answers a client of PuppetDB in plain words, as PuppetDB
// does: puppetdb_query would take any JSON for the answer, whatever the status.
// Only that there is no such node is said in JSON, by which clients know it.
func (s *Server) answerPDBFailure(c echo.Context, f *Failure) error {
	if f.status == http.StatusNotFound && c.Param("identity") != "" {
		return writeJSON(c, f.status, map[string]string{"error": "No information is known about node " + cut(c.Param("identity"), 60)})
	}
	text := f.Message
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	return write(c, f.status, echo.MIMETextPlainCharsetUTF8, []byte("muster: "+text+"\n"))
}
