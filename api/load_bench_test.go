package api_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/api"
	"muster/internal/audit"
	"muster/internal/pki"
	"muster/registry"
)

// loaded is a server over TLS with a fleet, an audit log, and no other limits
// than usual.
func loaded(b *testing.B, nodes int) (*site, string) {
	b.Helper()
	r, err := registry.Open(b.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	for i := range nodes {
		_, err := r.Register(b.Context(), registry.Registration{
			Identity: fmt.Sprintf("n%06d.acme.net", i), Classes: []string{"base", fmt.Sprintf("role%d", i%200)},
			Facts: map[string]any{"customer": fmt.Sprintf("c%d", i%500), "environment": "production", "os": map[string]any{"family": "Debian"}, "n": i},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	deeds, err := audit.Open(audit.Config{Path: filepath.Join(b.TempDir(), "audit.log")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = deeds.Close() })
	a, err := pki.CreateAuthority(b.TempDir(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	s := &site{Authority: a, at: time.Now()}
	return s, s.serveTLS(b, api.Config{
		Registry: r, Audit: deeds, AuditQuestions: true, Forwarders: map[string][]string{"puppet*": nil}, Revoked: a.IsRevoked,
	})
}

// asker is one connection that asks by itself: a client of net/http would take
// most of the time.
type asker struct {
	conn net.Conn
	in   *bufio.Reader
}

func (s *site) asker(b *testing.B, url string, cert tls.Certificate) *asker {
	b.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: s.Roots(), Certificates: []tls.Certificate{cert}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &asker{conn, bufio.NewReader(conn)}
}

func (a *asker) ask(n int) error {
	request := fmt.Sprintf("GET /v1/search?q=customer%%3Dc%d+role%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", n%500, n%200)
	if _, err := io.WriteString(a.conn, request); err != nil {
		return err
	}
	res, err := http.ReadResponse(a.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}

const fleetSize = 100_000

// BenchmarkSearchOverTLS asks a server for a hundred of its nodes.
func BenchmarkSearchOverTLS(b *testing.B) {
	s, url := loaded(b, fleetSize)
	cert := s.client(b, pki.Grant{Name: "puppet1"})
	b.Run("closed", func(b *testing.B) { closedLoop(b, s, url, cert) })
	b.Run("open", func(b *testing.B) { openLoop(b, s, url, cert) })
}

// closedLoop has 32 clients with certificates ask one after the other. The CPU
// time is that of both sides.
func closedLoop(b *testing.B, s *site, url string, cert tls.Certificate) {
	b.Helper()
	const clients = 32
	askers := make([]*asker, clients)
	for i := range askers {
		askers[i] = s.asker(b, url, cert)
	}
	work := make(chan int)
	var asking sync.WaitGroup
	before := cpu(b)
	b.ResetTimer()
	for _, a := range askers {
		asking.Go(func() {
			for n := range work {
				if err := a.ask(n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	asking.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// openLoop sends 5,000 requests a second over 1,000 connections with
// certificates, whether they are answered or not, for three seconds.
func openLoop(b *testing.B, s *site, url string, cert tls.Certificate) {
	b.Helper()
	const connections, perSecond, seconds = 1000, 5000, 3
	askers := make(chan *asker, connections)
	for range connections {
		askers <- s.asker(b, url, cert)
	}
	for b.Loop() {
		took := make([]time.Duration, perSecond*seconds)
		var asking sync.WaitGroup
		before, began := cpu(b), time.Now()
		for n := range took {
			due := began.Add(time.Duration(n) * time.Second / perSecond)
			time.Sleep(time.Until(due))
			a := <-askers
			asking.Go(func() {
				if err := a.ask(n); err != nil {
					b.Error(err)
				}
				took[n] = time.Since(due)
				askers <- a
			})
		}
		asking.Wait()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(len(took)), "cpu-us/request")
	}
}

// cpu is the time that the process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
