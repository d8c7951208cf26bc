package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/api"
	"muster/registry"
)

// pipes is a listener without a network, so that its time can be a test's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// Who sends a byte now and then is cut off, head and body alike, and others are
// served meanwhile.
func TestThreatT7Slowloris(t *testing.T) {
	for _, test := range []struct {
		name, first string
		within      time.Duration
	}{
		{"a head that never ends", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", 15 * time.Second},
		{"a body that never ends", "POST /v1/registrations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{", 90 * time.Second},
		{"nothing at all", "", 3 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := quiet(t, api.Config{Registry: &fake{}})
				l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- s.Serve(ctx, l) }()
				mine, theirs := net.Pipe()
				l.conns <- theirs
				cut := make(chan struct{})
				go func() {
					defer close(cut)
					_, _ = io.Copy(io.Discard, mine) // until the server closes
				}()
				began := time.Now()
				told := make(chan struct{})
				go func() {
					defer close(told)
					if _, err := io.WriteString(mine, test.first); err != nil || test.first == "" {
						return
					}
					for {
						time.Sleep(2 * time.Second)
						if _, err := io.WriteString(mine, "a"); err != nil {
							return
						}
					}
				}()
				<-cut
				if took := time.Since(began); took > test.within {
					t.Errorf("it was cut off after %v", took)
				}
				mine.Close()
				<-told
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Heads are bounded; what is just within the bound is served.
func TestThreatT7Heads(t *testing.T) {
	c := newCastle(t, nil)
	by := c.bears("reader", api.Reader, api.Grant{})
	for _, test := range []struct{ size, status int }{{60 << 10, 200}, {72 << 10, 431}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/classes", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+by.token)
		r.Header.Set("X-Long", strings.Repeat("a", test.size))
		res, err := c.client(by).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != test.status {
			t.Errorf("a head of %d bytes answered %d, want %d", test.size, res.StatusCode, test.status)
		}
	}
}

// packedTo is random text of n bytes as gzip, which packs to about n.
func packedTo(t *testing.T, n int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, strings.Repeat(" ", n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Compressed bodies at the edges: as sent, and as they become.
func TestThreatT7CompressedBodiesAtTheEdge(t *testing.T) {
	h := serve(t, &fake{})
	size := api.MaxCompressed
	for len(packedTo(t, size)) > api.MaxCompressed {
		size--
	}
	for delta, want := range map[int]int{-1: 400, 0: 400, 1: 413} { // 400: there is no registration in spaces
		body := packedTo(t, size+delta)
		if a := send(t, h, "POST", "/v1/registrations", body, http.Header{"Content-Encoding": {"gzip"}}); a.status != want {
			t.Errorf("%d bytes as sent answered %d %s, want %d", len(body), a.status, a.text, want)
		}
	}
	// A ratio of 100 is the edge where a body is not small.
	random := rand.New(rand.NewChaCha8([32]byte{}))
	noise := make([]byte, 20<<10)
	for i := range noise {
		noise[i] = byte('0' + random.IntN(64))
	}
	for _, test := range []struct {
		spaces, want int
	}{{1 << 20, 400}, {6 << 20, 413}} {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		for _, part := range [][]byte{bytes.ReplaceAll(noise, []byte("\\"), []byte(" ")), bytes.Repeat([]byte(" "), test.spaces)} {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if a := send(t, h, "POST", "/v1/registrations", out.String(), http.Header{"Content-Encoding": {"gzip"}}); a.status != test.want {
			t.Errorf("%d bytes that become %d answered %d, want %d", out.Len(), test.spaces+len(noise), a.status, test.want)
		}
	}
}

// Every limit of a registration holds at the edge and not one past it, through
// the door that it comes by, and the rest of the registration is kept.
func TestThreatT7RegistrationsAtTheEdge(t *testing.T) {
	c := newCastle(t, nil)
	admin := c.bears("boss", api.Admin, api.Grant{})
	nested := func(depth int) any {
		v := any("x")
		for range depth {
			v = map[string]any{"d": v}
		}
		return v
	}
	keys := func(n int) map[string]any {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprintf("k%05d", i)] = int64(i)
		}
		return m
	}
	names := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("c%05d", i)
		}
		return list
	}
	for name, test := range map[string]struct {
		most int
		doc  func(n int) map[string]any
	}{
		"depth": {registry.MaxDepth - 1, func(n int) map[string]any { return map[string]any{"facts": map[string]any{"deep": nested(n)}} }},
		"keys":  {registry.MaxPaths, func(n int) map[string]any { return map[string]any{"facts": keys(n)} }},
		"path": {registry.MaxPath, func(n int) map[string]any {
			return map[string]any{"facts": map[string]any{strings.Repeat("k", n): "x"}}
		}},
		"text": {registry.MaxString, func(n int) map[string]any {
			return map[string]any{"facts": map[string]any{"x": strings.Repeat("y", n)}}
		}},
		"classes": {registry.MaxList, func(n int) map[string]any { return map[string]any{"classes": names(n)} }},
		"name":    {registry.MaxName, func(n int) map[string]any { return map[string]any{"classes": []string{strings.Repeat("c", n)}} }},
	} {
		for n := test.most - 1; n <= test.most+1; n++ {
			doc := test.doc(n)
			doc["identity"] = "edge.acme.net"
			body, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			status, text := c.send(admin, "POST", "/v1/registrations", string(body))
			if status != 200 || strings.Contains(text, `"warnings"`) != (n > test.most) {
				t.Errorf("%s of %d answered %d %.300s", name, n, status, text)
			}
		}
	}
}

// A thousand bombs cost no memory to speak of.
func TestThreatT7BombsCostNoMemory(t *testing.T) {
	h := serve(t, &fake{})
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 200 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100 {
		if a := send(t, h, "POST", "/v1/registrations", bomb.String(), http.Header{"Content-Encoding": {"gzip"}}); a.status != 413 {
			t.Fatalf("answered %d", a.status)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if spent := (after.TotalAlloc - before.TotalAlloc) / 100; spent > 8<<20 {
		t.Errorf("each took %d KiB", spent>>10)
	}
}
