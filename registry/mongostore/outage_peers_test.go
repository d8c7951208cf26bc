//go:build peers

package mongostore_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/registry"
)

// outage: a server that goes away is said, nothing is acknowledged meanwhile,
// and writing goes on by itself when it is back.
func outage(t *testing.T, uri string) {
	server := strings.TrimSuffix(strings.TrimPrefix(uri, "mongodb://"), "/")
	p := &proxy{server: server}
	p.up(t)
	t.Cleanup(p.down)

	s := open(t, "mongodb://"+p.address+"/?serverSelectionTimeoutMS=300&heartbeatFrequencyMS=500&directConnection=true", scratch(t, uri), "")
	r, err := registry.Open(t.Context(), registry.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	register := func(turn int64) error {
		_, err := r.Register(t.Context(), registry.Registration{Identity: "db1", Facts: map[string]any{"turn": turn}})
		return err
	}
	if err := register(1); err != nil {
		t.Fatal(err)
	}
	p.down()
	for range 2 { // a connection that breaks, then none
		err := register(2)
		if err == nil || !strings.Contains(err.Error(), "storing the registration of db1: writing to MongoDB at "+p.address+": ") || strings.Contains(err.Error(), "topology") {
			t.Errorf("while the server is away: %v", err)
		}
	}
	if n, _ := r.Node("db1"); n.Facts["turn"] != int64(1) {
		t.Errorf("readers see turn %v, want what was acknowledged", n.Facts["turn"])
	}
	p.up(t)
	deadline := time.Now().Add(20 * time.Second)
	for err = register(3); err != nil && time.Now().Before(deadline); err = register(3) {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("the server is back, and still: %v", err)
	}
}

// proxy stands between a store and a server, so that the server can go away.
type proxy struct {
	server  string
	address string // of its own, the same each time it is up

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	running  sync.WaitGroup
}

func (p *proxy) up(t *testing.T) {
	t.Helper()
	address := p.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener, p.address = l, l.Addr().String()
	p.mu.Unlock()
	p.running.Go(func() {
		for {
			in, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			out, err := net.Dial("tcp", p.server)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			p.running.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
			p.running.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
		}
	})
}

// down closes everything and waits until it is.
func (p *proxy) down() {
	p.mu.Lock()
	_ = p.listener.Close()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.running.Wait()
}
