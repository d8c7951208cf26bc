//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"muster/internal/pki"
)

// peer serves, over TLS with client certificates as we have it, always the same
// answer of so many bytes: what net/http and TLS cost without us. It ends with
// its standard input. The certificates of who may ask lie below dir afterwards.
func peer(dir string, size int, in io.Reader, out io.Writer) error {
	authority, err := pki.CreateAuthority(dir, time.Now)
	if err != nil {
		return err
	}
	cert, err := authority.IssueServer(pki.Grant{Name: "peer"})
	if err != nil {
		return err
	}
	if _, err := puppetservers(authority, dir); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	body := []byte(strings.Repeat("x", size))
	h := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body) // who asked may be gone
		}),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientCAs: authority.Roots(), ClientAuth: tls.RequireAndVerifyClientCert,
		},
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	return h.ServeTLS(l, "", "")
}
