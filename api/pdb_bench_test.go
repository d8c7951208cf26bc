package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/api"
	"muster/registry"
	"muster/registry/index/indextest"
)

// A command of a Puppet server, accepted and stored in memory, without the
// network: 8.5 KB of facts of which those move that always do, or others too, and a catalog of
// 20 KB with the same classes as before. PuppetDB 7.12 took 8.5 ms of CPU for
// such facts, and 6 ms for such a catalog.
func BenchmarkCommand(b *testing.B) {
	facts := func(changes bool) func(tick int) string {
		return func(tick int) string {
			facts := indextest.Fleet{Tick: tick}.Node(17).Facts
			delete(facts, "ssh") // to the size of what was measured
			if !changes {
				delete(facts, "backup")
				delete(facts, "last_run_ok")
			}
			return `"environment":"production","producer":"p","values":` + string(registry.AppendJSON(nil, facts))
		}
	}
	for _, test := range []struct {
		name, command string
		version       int
		payload       func(tick int) string
	}{
		{"facts", "replace_facts", 5, facts(false)},
		{"facts of which some changed", "replace_facts", 5, facts(true)},
		{"catalog", "replace_catalog", 9, func(int) string {
			var out strings.Builder
			out.WriteString(`"version":"1","environment":"production","edges":[],"resources":[`)
			for i := range 62 {
				fmt.Fprintf(&out, `{"type":"Class","title":"Profile::Part%02d","tags":["class","profile::part%02d","profile","part%02d"],"file":"/etc/puppetlabs/code/environments/production/modules/profile/manifests/part.pp","line":7,"exported":false,"parameters":{"ensure":"present","port":%d,"hosts":["a","b"],"options":{"x":1}}},`, i, i, i, 8000+i)
			}
			return strings.TrimSuffix(out.String(), ",") + "]"
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := realRegistry(b)
			s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			const node = "web_nginx03.fra1.hooli.example.net"
			at := time.Now().Add(-time.Minute) // much older ones are warned of
			var bodies [16]string
			for i := range bodies {
				body := fmt.Sprintf(`{"certname":%q,%s}`, node, test.payload(i)) // when is said beside it
				b.SetBytes(int64(len(body)))
				bodies[i] = packed(b, body)
			}
			b.ReportAllocs()
			start := cpu(b)
			for i := 0; b.Loop(); i++ {
				at = at.Add(time.Millisecond)
				path, _ := command(test.command, test.version, node, at, "")
				request := httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(bodies[i%16]))
				request.Header.Set("Content-Encoding", "gzip")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, request)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64((cpu(b)-start).Microseconds())/float64(b.N), "cpu-us/op")
		})
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

func packed(b *testing.B, text string) string {
	b.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.String()
}
