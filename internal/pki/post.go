package pki

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	postTimeout = 30 * time.Second
	maxAnswer   = 1 << 20
)

// pinned returns the TLS settings of a first contact: the server must present
// the CA that the line names, and a certificate from it for its host.
func pinned(line JoinLine) *tls.Config {
	// Not the ConnectionState's ServerName: that is empty for an IP address.
	host := ""
	if address, err := url.Parse(line.Address); err == nil {
		host = address.Hostname()
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it: the CA is known by its fingerprint only
		VerifyConnection: func(state tls.ConnectionState) error {
			chain := state.PeerCertificates
			for _, cert := range chain {
				if !line.fits(cert.Raw) {
					continue
				}
				roots := x509.NewCertPool()
				roots.AddCert(cert)
				_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
				return err
			}
			return errors.New("the server does not show the CA with the join line's fingerprint: this is another registry, or somebody between")
		},
	}
}

// post sends a request as JSON and reads the answer. Another status than 200
// is a [*Denied] if the server said why, below 500.
func post(ctx context.Context, settings *tls.Config, address string, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: settings, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport,
		// What is posted is a secret and not meant for anybody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case response.StatusCode != http.StatusOK:
		return failure(response, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return errors.New("the answer is not what a registry says; is the address right?")
	}
	return nil
}

// failure reads the API's error body: {"error":{"code","message"}}.
func failure(response *http.Response, text []byte) error {
	var said struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(text, &said) != nil || said.Error.Message == "" {
		return fmt.Errorf("the server answered %s, which is not what a registry says; is the address right?", response.Status)
	}
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("the registry could not: %s", said.Error.Message)
	}
	return deny(said.Error.Code, "%s", said.Error.Message)
}
