package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const defaultServer = "http://127.0.0.1:8280"

// client asks the registries of a site, one after the other until one answers.
type client struct {
	servers []string
	token   string
	http    *http.Client
	last    atomic.Int32 // which of the servers answered last
}

// apiError is a registry's answer that is not what was asked for.
type apiError struct {
	Status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Start   *int   `json:"start"`
	End     *int   `json:"end"`
	Hint    string `json:"hint"`
	server  string
}

func (e *apiError) Error() string {
	text := e.Message
	if text == "" {
		text = http.StatusText(e.Status)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return fmt.Sprintf("%s does not know who asks: %s; name a token with MUSTER_TOKEN_FILE or token_file", e.server, text)
	case http.StatusForbidden:
		return fmt.Sprintf("%s refused: %s", e.server, text)
	}
	return fmt.Sprintf("%s: %s", e.server, text)
}

// newClient finds the servers and the proof of who asks: settings first, then
// the run file of a server of this user on this host.
func (a *app) newClient() (*client, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	running, err := a.env.readRunFile()
	if err != nil {
		return nil, err
	}
	return clientOf(c, running)
}

// clientOf asks whom the settings name, else the server that runs here; nil:
// none is known to.
func clientOf(c config, running *runFile) (*client, error) {
	if len(c.Servers) == 0 {
		c.Servers = []string{defaultServer}
		if running != nil {
			c.Servers = []string{running.Server}
		}
	}
	if running != nil && len(c.Servers) == 1 && c.Servers[0] == running.Server {
		if c.TokenFile == "" {
			c.TokenFile = running.Token
		}
		if c.CAFile == "" {
			c.CAFile = running.CA
		}
	}
	for _, server := range c.Servers {
		if u, err := url.Parse(server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, usageFault("server %q is not an address such as %s", server, defaultServer)
		}
	}
	cl := &client{servers: c.Servers}
	var err error
	if cl.token, err = readSecret(c.TokenFile); err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	if cl.http, err = httpClient(c); err != nil {
		return nil, err
	}
	return cl, nil
}

// readSecret is the first line of a file; empty for no file.
func readSecret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first), nil
}

func httpClient(c config) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, usageFault("%s holds no certificate", c.CAFile)
		}
		conf = trusting(func() *x509.CertPool { return roots }, c.Servers)
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %s: %w", c.CertFile, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return httpOver(conf), nil
}

// httpOver connects anew, or over what it has open, with these certificates.
func httpOver(conf *tls.Config) *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			TLSClientConfig:     conf,
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     time.Minute,
		},
	}
}

// do sends one request to the first server that answers, see each, and reads
// its JSON into out.
func (c *client) do(ctx context.Context, method, path string, body, out any) error {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return c.each(ctx, func(server string) error {
		status, text, err := c.ask(ctx, c.wait(ctx), server, method, path, "application/json", payload)
		if err != nil {
			return err
		}
		if status >= 300 {
			return refusalOf(server, status, text)
		}
		if err := json.Unmarshal(text, out); err != nil {
			return fmt.Errorf("%s answers what is not a registry's answer", server)
		}
		return nil
	})
}

// register sends node documents and returns what became of each. That all were
// refused is an answer.
func (c *client) register(ctx context.Context, documents []json.RawMessage) (results []importResult, err error) {
	var payload bytes.Buffer
	for _, d := range documents {
		if err := json.Compact(&payload, d); err != nil {
			return nil, err
		}
		payload.WriteByte('\n')
	}
	err = c.each(ctx, func(server string) error {
		status, text, err := c.ask(ctx, patience, server, http.MethodPost, "/v1/registrations", "application/x-ndjson", payload.Bytes())
		if err != nil {
			return err
		}
		var answer struct{ Results []importResult }
		if json.Unmarshal(text, &answer) != nil || len(answer.Results) != len(documents) {
			return refusalOf(server, status, text)
		}
		results = answer.Results
		return nil
	})
	return results, err
}

// ask sends one request to one server, which must begin to answer within wait,
// and returns its whole answer.
func (c *client) ask(ctx context.Context, wait time.Duration, server, method, path, kind string, payload []byte) (status int, text []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(server, "/")+path, bytes.NewReader(payload))
	if err != nil {
		return 0, nil, err
	}
	if payload != nil {
		request.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.send(c.http, request, wait)
	if err != nil {
		return 0, nil, fmt.Errorf("%s does not answer: %s", server, plainNetError(err))
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s broke off in the middle of its answer: %s", server, plainNetError(err))
	}
	return response.StatusCode, text, nil
}

// open sends one request to one server and returns its answer once that begins
// well, for bodies that are long or have no end.
func (c *client) open(ctx context.Context, server, method, path string, head http.Header, body io.Reader) (*http.Response, error) {
	wait := c.wait(ctx)
	if body != nil {
		wait = longestUpload
	}
	return c.openWithin(ctx, wait, server, method, path, head, body)
}

// openWithin is open with a server that must begin to answer within wait.
func (c *client) openWithin(ctx context.Context, wait time.Duration, server, method, path string, head http.Header, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(server, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if head != nil {
		request.Header = head
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	endless := *c.http
	endless.Timeout = 0
	response, err := c.send(&endless, request, wait)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %s", server, plainNetError(err))
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s broke off in the middle of its answer: %s", server, plainNetError(err))
	}
	return nil, refusalOf(server, response.StatusCode, text)
}

// refusalOf reads why a server did not do what it was asked.
func refusalOf(server string, status int, text []byte) error {
	refusal := &apiError{Status: status, server: server}
	wrapped := struct{ Error *apiError }{refusal}
	if json.Unmarshal(text, &wrapped) != nil || refusal.Code == "" {
		refusal.Message = fmt.Sprintf("it answers %d %s, which is not a registry's answer", status, http.StatusText(status))
	}
	return refusal
}

// plainNetError says a connection's failure without the layers it came through.
func plainNetError(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return strings.TrimPrefix(op.Err.Error(), "connect: ")
	}
	return err.Error()
}
