package bus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// impostor is a broker that behaves as a test wants: act gets every connection
// after its CONNECT was read, and the connection ends when act returns.
func impostor(t *testing.T, act func(r *raw, connect *frame.Frame)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				r := &raw{t, conn, newFrameReader(conn, FrameLimits{100, 1 << 20, 32 << 20}, v12)}
				if connect, err := r.in.read(); err == nil {
					act(r, connect)
				}
			})
		}
	})
	return l.Addr().String()
}

// say writes what it can: the other side may have gone.
func (r *raw) say(text string) { _, _ = r.conn.Write([]byte(text)) }

// ignore reads until the other side has gone.
func (r *raw) ignore() {
	for {
		if _, err := r.in.read(); err != nil {
			return
		}
	}
}

const connected = "CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\x00"

func TestClientOfAHostileBroker(t *testing.T) {
	for _, c := range []struct {
		name, says, want string
	}{
		{"a large body", connected + "MESSAGE\ncontent-length:2000000000\n\nx", "malformed frame: body larger than 1048576 bytes"},
		{"a body without end", connected + "MESSAGE\n\n" + strings.Repeat("x", 2<<20), "malformed frame: body larger than 1048576 bytes"},
		{"headers without end", connected + "MESSAGE\na:" + strings.Repeat("x", 1<<20), "malformed frame: headers larger than 65536 bytes"},
		{"many headers", connected + "MESSAGE\n" + strings.Repeat("a:b\n", 300), "malformed frame: more than 256 headers"},
		{"garbage", connected + "HTTP/1.1 200 OK\r\n\r\n", "malformed frame: unknown command"},
		{"not a broker at all", "HTTP/1.1 400 Bad Request\r\n\r\n", "malformed frame: unknown command"},
		{"another answer", "RECEIPT\nreceipt-id:1\n\n\x00", "logging in to"},
		{"only STOMP 1.0", "CONNECTED\nsession:1\n\n\x00", "speaks only STOMP 1.0"},
		{"a bad heart-beat", "CONNECTED\nversion:1.2\nheart-beat:x\n\n\x00", "heart-beat is two numbers"},
		{"CONNECTED twice", connected + connected, "CONNECTED twice"},
		{"ERROR with a terminal's control codes", connected + "ERROR\nmessage:\x1b[31mred\x07\n\nmore\x1b[0m\n\x00", "the broker refused:  [31mred : more [0m"},
		{"the end", connected, "the broker closed the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			address := impostor(t, func(r *raw, _ *frame.Frame) { r.say(c.says) })
			ctx, cancel := context.WithCancel(t.Context())
			client := NewClient(Config{Brokers: []string{"stomp://" + address}, MaxBody: 1 << 20, BackOff: time.Millisecond, MaxBackOff: time.Millisecond, Log: quiet()})
			done := make(chan error, 1)
			go func() { done <- client.Run(ctx) }()
			waitForError(t, client, c.want)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			noMoreGoroutines(t, before+1) // the impostor still listens
		})
	}
}

// Nothing that a broker leaves undone keeps a caller, or the client's end, for
// longer than asked.
func TestClientOfASilentBroker(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(*raw, *frame.Frame)
		want string // in the status
	}{
		{"no CONNECTED", func(r *raw, _ *frame.Frame) { r.ignore() }, "it does not answer in time"},
		{"no receipts", func(r *raw, _ *frame.Frame) { r.say(connected); r.ignore() }, "the broker did not confirm within 200ms"},
		{"no heart-beats", func(r *raw, _ *frame.Frame) {
			r.say("CONNECTED\nversion:1.1\nheart-beat:50,0\n\n\x00")
			r.ignore()
		}, "silent for too long"},
		{"no reading", func(r *raw, _ *frame.Frame) { r.say(connected); <-r.t.Context().Done() }, "the broker took nothing for 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := impostor(t, c.act)
			client := run(t, address, "client", func(config *Config) {
				config.HeartBeat, config.WriteTimeout = 50*time.Millisecond, 100*time.Millisecond
				switch c.name {
				case "no receipts":
					config.AnswerTimeout = 200 * time.Millisecond
				case "no CONNECTED":
					config.ConnectTimeout = 200 * time.Millisecond
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			began := time.Now()
			var publishers sync.WaitGroup
			for range 4 { // together more than the socket holds
				publishers.Go(func() {
					if err := client.Publish(ctx, Message{Destination: "/topic/t", Body: make([]byte, 8<<20)}); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Publish: %v", err)
					}
				})
			}
			publishers.Wait()
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("after %v, asked for 1.5 s", took)
			}
			waitForError(t, client, c.want)
			if _, err := client.Subscribe(ctx, Subscription{Destination: "/topic/t"}, func(context.Context, Delivery) {}); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Subscribe: %v", err)
			}
		})
	}
}

// A broker that says it sends no heart-beats may be silent for ever.
func TestBrokerWithoutHeartBeats(t *testing.T) {
	address := impostor(t, func(r *raw, _ *frame.Frame) { r.say(connected); r.ignore() })
	client := run(t, address, "client", func(c *Config) { c.HeartBeat = 10 * time.Millisecond })
	if err := client.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if s := client.Status(); !s.Connected || s.LastError != "" {
		t.Errorf("status %+v", s)
	}
}

// A passcode is sent as it is, whatever the library thinks of its characters.
func TestPasscodeIsNotEscaped(t *testing.T) {
	seen := make(chan string, 10)
	address := impostor(t, func(_ *raw, connect *frame.Frame) { seen <- spell(connect) })
	run(t, address, `DOMAIN\me`, func(c *Config) { c.Passcode, c.Vhost, c.HeartBeat = `a:b\c`, "/mcollective", time.Second })
	want := `CONNECT "host"="/mcollective" "heart-beat"="1000,1000" "login"="DOMAIN\\me" "passcode"="a:b\\c" "accept-version"="1.1,1.2" ""`
	if got := <-seen; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Neither side ever writes a passcode to its log or into an error.
func TestPasscodesAreNotLogged(t *testing.T) {
	var text lockedBuffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	address, _ := start(t, &Broker{Log: log})
	client := run(t, address, "client", func(c *Config) {
		c.Brokers, c.Passcode, c.Log = []string{"stomp://u:topsecret1@" + address, "stomp://" + address}, "topsecret2", log
	})
	waitForError(t, client, `as "u": the broker refused`)
	waitForError(t, client, `as "client": the broker refused`)
	login(t, address, "client")
	if got := text.String(); strings.Contains(got, "secret") || !strings.Contains(got, "a login was refused") || !strings.Contains(got, "no connection to the broker") {
		t.Errorf("the log says\n%s", got)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// Headers are written as the version that was agreed on writes them.
func TestClientSpeaksTheNegotiatedVersion(t *testing.T) {
	for version, want := range map[string]string{
		"1.1": "\nx:a\\cb\rc\n",
		"1.2": "\nx:a\\cb\\rc\n",
	} {
		seen := make(chan string, 10)
		address := impostor(t, func(r *raw, _ *frame.Frame) {
			r.say("CONNECTED\nversion:" + version + "\n\n\x00")
			buffer := make([]byte, 4096)
			n, _ := r.conn.Read(buffer)
			seen <- string(buffer[:n])
		})
		client := run(t, address, "client")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := client.Publish(ctx, Message{Destination: "/topic/t", Headers: map[string]string{"x": "a:b\rc"}}); err == nil {
			t.Error("published without a receipt")
		}
		if got := <-seen; !strings.Contains(got, want) || !strings.Contains(got, "\nreceipt:r") || strings.Contains(got, receiptHeader) {
			t.Errorf("STOMP %s: sent %q, want %q in it", version, got, want)
		}
	}
}
