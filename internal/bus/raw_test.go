package bus

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// raw is a client that writes frames as a test spells them.
type raw struct {
	t    testing.TB
	conn net.Conn
	in   *frameReader
}

func dialRaw(t testing.TB, address string, config *tls.Config) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &raw{t, conn, newFrameReader(conn, FrameLimits{100, 1 << 20, 32 << 20}, v10)}
}

// login connects as MCollective's daemons do, unless another CONNECT is given.
func login(t testing.TB, address, who string, headers ...string) *raw {
	t.Helper()
	r := dialRaw(t, address, nil)
	if len(headers) == 0 {
		headers = []string{"accept-version:1.0"}
	}
	r.send("CONNECT\n" + strings.Join(headers, "\n") + "\nlogin:" + who + "\npasscode:secret\n\n\x00")
	f := r.read()
	if f.Command != frame.CONNECTED {
		t.Fatalf("not connected: %s", spell(f))
	}
	if v, ok := newestOf(f.Header.Get(frame.Version)); ok {
		r.in.version = v
	}
	return r
}

func (r *raw) send(text string) {
	r.t.Helper()
	if _, err := r.conn.Write([]byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// read returns the next frame, past heart-beats.
func (r *raw) read() *frame.Frame {
	r.t.Helper()
	for {
		f, err := r.in.read()
		if err != nil {
			r.t.Fatalf("reading a frame: %v", err)
		}
		if f != nil {
			return f
		}
	}
}

// want reads a frame and compares some of its headers, and the body.
func (r *raw) want(command, body string, headers ...string) *frame.Frame {
	r.t.Helper()
	f := r.read()
	if f.Command != command || string(f.Body) != body {
		r.t.Fatalf("got %s, want a %s with %q", spell(f), command, body)
	}
	for i := 0; i < len(headers); i += 2 {
		if got := f.Header.Get(headers[i]); got != headers[i+1] {
			r.t.Fatalf("got %s, want %s:%s", spell(f), headers[i], headers[i+1])
		}
	}
	return f
}

// sync returns when the broker has done all that was sent.
func (r *raw) sync() {
	r.t.Helper()
	r.send("ACK\nreceipt:sync\nmessage-id:s0-0-0\nid:s0-0-0\n\n\x00")
	r.want(frame.RECEIPT, "", "receipt-id", "sync")
}

// refused reads an ERROR whose text holds all words, and then the end.
func (r *raw) refused(words ...string) {
	r.t.Helper()
	f := r.read()
	for f.Command != frame.ERROR {
		f = r.read()
	}
	text := f.Header.Get(frame.Message) + ": " + string(f.Body)
	for _, word := range words {
		if !strings.Contains(text, word) {
			r.t.Errorf("refused with %q, without %q", text, word)
		}
	}
	if f, err := r.in.read(); err == nil {
		r.t.Errorf("after ERROR came %s", spell(f))
	}
}
