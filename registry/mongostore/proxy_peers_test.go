//go:build peers

package mongostore_test

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a store and a server, so that the server can go away.
type proxy struct {
	server  string
	address string // of its own, the same each time it is up

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	running  sync.WaitGroup
	cut      cut
}

// cut says at which request a connection is cut.
type cut struct {
	at       string // bytes of the request; empty: none
	answered bool   // only once the server has answered, which does not get through
}

// cutAt arms the proxy for one request.
func (p *proxy) cutAt(c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
}

// pass hands on what a client says, and what a server answers, until a request
// comes at which it is cut.
func (p *proxy) pass(client, server net.Conn) {
	defer func() { _ = client.Close(); _ = server.Close() }()
	var answered atomic.Bool // what the server says next gets lost
	p.running.Go(func() {
		defer func() { _ = client.Close(); _ = server.Close() }()
		for b := make([]byte, 1<<20); ; {
			n, err := server.Read(b)
			if err != nil || answered.Load() {
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	})
	for b := make([]byte, 1<<20); ; {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		cutting := p.cut
		if p.cut.at != "" && bytes.Contains(b[:n], []byte(p.cut.at)) {
			p.cut = cut{}
		} else {
			cutting = cut{}
		}
		p.mu.Unlock()
		if cutting.at != "" && !cutting.answered {
			return
		}
		answered.Store(cutting.answered)
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
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
			p.running.Go(func() { p.pass(in, out) })
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

// uri is where the server is reached through the proxy.
func (p *proxy) uri() string {
	return "mongodb://" + p.address + "/?serverSelectionTimeoutMS=300&heartbeatFrequencyMS=500&directConnection=true"
}
