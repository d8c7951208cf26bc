package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// A subscriber that stops reading is dropped, and neither the publisher nor
// another subscriber waits for it.
func TestSlowSubscriberStopsNobody(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{Outbox: 4 << 20}})
	slow, fast, publisher := login(t, address, "registry"), login(t, address, "registry"), login(t, address, "registry")
	for _, r := range []*raw{slow, fast} {
		r.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
		r.sync()
	}
	body := strings.Repeat("x", 10<<10)
	const messages = 2000 // 20 MB: more than the slow one's sockets and queue hold
	worst := time.Duration(0)
	for n := range messages {
		began := time.Now()
		publisher.send(fmt.Sprintf("SEND\ndestination:/topic/t\nn:%d\n\n%s\x00", n, body))
		fast.want(frame.MESSAGE, body, "n", fmt.Sprint(n))
		worst = max(worst, time.Since(began))
	}
	if worst > 2*time.Second {
		t.Errorf("one message took %v", worst)
	}
	// The slow one finds its connection closed after what had reached it.
	got := 0
	for {
		if _, err := slow.in.read(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the slow subscriber was not dropped")
			}
			break
		}
		got++
	}
	if got >= messages {
		t.Errorf("the slow subscriber got all %d messages: the test proves nothing", got)
	}
}

// A client may publish to its own topic as much as its queue holds before it
// reads; go-stomp's own broker stops for ever at that.
func TestPublishingToOneself(t *testing.T) {
	address, _ := start(t, &Broker{})
	r := login(t, address, "registry")
	r.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
	body := strings.Repeat("x", 1000)
	const messages = 20_000
	for range messages {
		r.send("SEND\ndestination:/topic/t\n\n" + body + "\x00")
	}
	r.send("SEND\ndestination:/topic/t\nreceipt:last\n\nlast\x00")
	for range messages {
		r.want(frame.MESSAGE, body)
	}
	r.want(frame.MESSAGE, "last")
	r.want(frame.RECEIPT, "", "receipt-id", "last")
}

// Also when it never reads: it is dropped, and others go on.
func TestPublishingToOneselfWithoutReading(t *testing.T) {
	address, _ := start(t, &Broker{Limits: Limits{NodeOutbox: 1 << 20}})
	r := login(t, address, "node")
	r.send("SUBSCRIBE\ndestination:/topic/mcollective.muster.reply.1\n\n\x00")
	r.sync()
	message := "SEND\ndestination:/topic/mcollective.muster.reply.1\n\n" + strings.Repeat("x", 100_000) + "\x00"
	dropped := false
	for range 1000 {
		if _, err := io.WriteString(r.conn, message); err != nil {
			dropped = !errors.Is(err, os.ErrDeadlineExceeded)
			break
		}
	}
	if !dropped {
		t.Error("100 MB were taken from a node that reads nothing")
	}
	login(t, address, "client").send("DISCONNECT\n\n\x00")
}

// When the broker stops, its clients get what is queued for them, and then the
// end; it leaves no goroutine and the port is free.
func TestShutdown(t *testing.T) {
	before := runtime.NumGoroutine()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	b := &Broker{Authenticate: roles, Log: quiet()}
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, l) }()

	idle := dialRaw(t, address, nil) // has not logged in
	r := login(t, address, "registry", "accept-version:1.2")
	r.send("SUBSCRIBE\nid:s\nack:client-individual\nprefetch-count:1\ndestination:/queue/q\n\n\x00")
	const messages = 500
	for n := range messages {
		r.send(fmt.Sprintf("SEND\ndestination:/queue/q\n\n%d\x00", n))
	}
	r.send("SEND\ndestination:/topic/none\nreceipt:last\n\n\x00")
	r.want(frame.MESSAGE, "0")
	r.want(frame.RECEIPT, "")
	cancel()
	for n := range messages - 1 {
		r.want(frame.MESSAGE, fmt.Sprint(n+1))
	}
	for _, c := range []*raw{r, idle} {
		if f, err := c.in.read(); err == nil {
			t.Errorf("after the end came %s", spell(f))
		}
		c.conn.Close()
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Serve did not return")
	}
	if again, err := net.Listen("tcp", address); err != nil {
		t.Errorf("the port is still taken: %v", err)
	} else {
		again.Close()
	}
	noMoreGoroutines(t, before)
}

// A client that does not take what is queued for it does not hold up the end.
func TestShutdownWithClientThatDoesNotRead(t *testing.T) {
	address, stop := start(t, &Broker{})
	r := login(t, address, "registry")
	r.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
	for range 40 {
		r.send("SEND\ndestination:/topic/t\n\n" + strings.Repeat("x", 1<<20) + "\x00")
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 2*grace {
		t.Errorf("stopping took %v", took)
	}
}

// noMoreGoroutines waits until there are no more than before.
func noMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// Every message that has its receipt when the broker stops reaches the
// subscriber, whichever of the two the broker is done with first.
func TestShutdownLosesNothingConfirmed(t *testing.T) {
	for range 10 {
		address, stop := start(t, &Broker{})
		subscriber := login(t, address, "registry")
		subscriber.send("SUBSCRIBE\ndestination:/queue/q\n\n\x00")
		subscriber.sync()
		var confirmed, received atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			p := login(t, address, "registry")
			all.Go(func() { // until the broker closes
				for {
					if _, err := io.WriteString(p.conn, "SEND\ndestination:/queue/q\nreceipt:1\n\nx\x00"); err != nil {
						return
					}
				}
			})
			all.Go(func() {
				for {
					if _, err := p.in.read(); err != nil {
						p.conn.Close()
						return
					}
					confirmed.Add(1)
				}
			})
		}
		all.Go(func() {
			for {
				if _, err := subscriber.in.read(); err != nil {
					subscriber.conn.Close()
					return
				}
				received.Add(1)
			}
		})
		time.Sleep(20 * time.Millisecond)
		stop()
		all.Wait()
		if received.Load() < confirmed.Load() || confirmed.Load() == 0 {
			t.Fatalf("%d messages were confirmed, %d arrived", confirmed.Load(), received.Load())
		}
	}
}
