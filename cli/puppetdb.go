package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// puppetDBPage is how many nodes are asked for at once.
const puppetDBPage = 200

// puppetDBPatience is how long a PuppetDB may take for one answer.
const puppetDBPatience = 5 * time.Minute

// puppetDBFlags say which PuppetDB is asked, and who asks: by the same
// certificate as the registry's, unless another is named.
type puppetDBFlags struct {
	url, ca, cert, key, token string
}

func (f *puppetDBFlags) add(flags *pflag.FlagSet, usage string) {
	flags.StringVar(&f.url, "puppetdb", "", usage)
	flags.StringVar(&f.ca, "puppetdb-ca", "", "authority of the PuppetDB's certificate, a `file`; without it ca_file, then the system's")
	flags.StringVar(&f.cert, "puppetdb-cert", "", "certificate to show to the PuppetDB, a `file`; without it cert_file")
	flags.StringVar(&f.key, "puppetdb-key", "", "its key, a `file`; without it key_file")
	flags.StringVar(&f.token, "puppetdb-token-file", "", "`file` with a token, for Puppet Enterprise")
}

// puppetDB is a PuppetDB that is only asked.
type puppetDB struct {
	base, token string
	http        *http.Client
}

func (a *app) puppetDB(f puppetDBFlags) (*puppetDB, error) {
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageFault("--puppetdb %q is not an address such as https://puppetdb.example.net:8081", f.url)
	}
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	c.Servers = []string{f.url}
	if f.ca != "" {
		c.CAFile = f.ca
	}
	if f.cert != "" || f.key != "" {
		c.CertFile, c.KeyFile = f.cert, f.key
	}
	p := &puppetDB{base: strings.TrimSuffix(f.url, "/")}
	if p.token, err = readSecret(f.token); err != nil {
		return nil, fmt.Errorf("reading the token for the PuppetDB: %w", err)
	}
	p.http, err = httpClient(c)
	if err == nil {
		p.http.Timeout = puppetDBPatience
	}
	return p, err
}

// ask returns the answer to a query.
func (p *puppetDB) ask(ctx context.Context, pql string) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"query": pql})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/pdb/query/v4", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		r.Header.Set("X-Authentication", p.token)
	}
	res, err := p.http.Do(r)
	if err != nil {
		return nil, unreachable("the PuppetDB %s does not answer: %s", p.base, plainNetError(err))
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, unreachable("the PuppetDB %s broke off in the middle of its answer: %s", p.base, plainNetError(err))
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the PuppetDB %s answers %s: %s", p.base, res.Status, printable(firstLine(text)))
	}
	return text, nil
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line[:min(len(line), 300)]
}

// inventoried is a row of a PuppetDB's inventory.
type inventoried struct {
	Certname    string                     `json:"certname"`
	Timestamp   time.Time                  `json:"timestamp"`
	Environment string                     `json:"environment"`
	Facts       map[string]json.RawMessage `json:"facts"`
}

// documents reads all nodes of a PuppetDB, a page at a time, as documents of
// ours. What Puppet's server vouches for, trusted, is left out: an import is an
// operator's word.
func (p *puppetDB) documents(ctx context.Context, page func([]json.RawMessage) error) error {
	for offset := 0; ; offset += puppetDBPage {
		answer, err := p.ask(ctx, fmt.Sprintf("inventory[certname, timestamp, environment, facts] { order by certname limit %d offset %d }", puppetDBPage, offset))
		if err != nil {
			return err
		}
		var rows []inventoried
		if err := json.Unmarshal(answer, &rows); err != nil {
			return fmt.Errorf("the inventory of the PuppetDB %s cannot be read: %w", p.base, err)
		}
		if len(rows) == 0 {
			return nil
		}
		names := make([]string, len(rows))
		for i, row := range rows {
			names[i] = row.Certname
		}
		classes, err := p.classes(ctx, names)
		if err != nil {
			return err
		}
		documents := make([]json.RawMessage, len(rows))
		for i, row := range rows {
			if documents[i], err = row.document(classes[row.Certname]); err != nil {
				return err
			}
		}
		if err := page(documents); err != nil || len(rows) < puppetDBPage {
			return err
		}
	}
}

func (i *inventoried) document(classes []string) (json.RawMessage, error) {
	delete(i.Facts, "trusted")
	if _, told := i.Facts["environment"]; !told && i.Environment != "" {
		i.Facts["environment"], _ = json.Marshal(i.Environment) // a string
	}
	document := map[string]any{"identity": i.Certname, "facts": i.Facts, "classes": classes}
	if !i.Timestamp.IsZero() {
		document["lastseen"] = i.Timestamp.Unix()
	}
	return json.Marshal(document)
}

// classes are those of some nodes.
func (p *puppetDB) classes(ctx context.Context, names []string) (map[string][]string, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	answer, err := p.ask(ctx, fmt.Sprintf(`resources[certname, title] { type = "Class" and certname in %s }`, list))
	if err != nil {
		return nil, err
	}
	var rows []struct{ Certname, Title string }
	if err := json.Unmarshal(answer, &rows); err != nil {
		return nil, fmt.Errorf("the classes of the PuppetDB %s cannot be read: %w", p.base, err)
	}
	classes := map[string][]string{}
	for _, row := range rows {
		if class := strings.ToLower(row.Title); class != "main" && class != "settings" {
			classes[row.Certname] = append(classes[row.Certname], class)
		}
	}
	return classes, nil
}
