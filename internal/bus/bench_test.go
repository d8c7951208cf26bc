package bus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// One publisher and one subscriber that write and read plain bytes: what the
// broker costs. A window of 1 MB keeps the queue bounded.
func BenchmarkBrokerOneToOne(b *testing.B) {
	for _, size := range []int{1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			address, _ := start(b, &Broker{})
			r := login(b, address, "registry")
			_ = r.conn.SetDeadline(time.Time{})
			r.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
			r.sync()
			message := []byte("SEND\ndestination:/topic/t\ncontent-length:" + fmt.Sprint(size) + "\n\n" + strings.Repeat("x", size) + "\x00")
			p := login(b, address, "registry")
			_ = p.conn.SetDeadline(time.Time{})
			window := make(chan struct{}, 1<<20/size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			b.ResetTimer()
			go func() {
				for range b.N {
					window <- struct{}{}
					if _, err := p.conn.Write(message); err != nil {
						return
					}
				}
			}()
			ends := endCounter{size: size}
			for ends.seen < b.N {
				n, err := ends.read(r.conn)
				if err != nil {
					b.Fatal(err)
				}
				for range n {
					<-window
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// endCounter counts frames whose bodies are all of one size and hold no NUL.
type endCounter struct {
	size, seen int
	buffer     [64 << 10]byte
}

func (c *endCounter) read(from io.Reader) (frames int, err error) {
	n, err := from.Read(c.buffer[:])
	frames = bytes.Count(c.buffer[:n], []byte{0})
	c.seen += frames
	return frames, err
}

// One message to a thousand subscribers; an operation is one delivery.
func BenchmarkBrokerOneToThousand(b *testing.B) {
	const subscribers, size = 1000, 1 << 10
	address, _ := start(b, &Broker{})
	counted := make(chan int, subscribers)
	for range subscribers {
		r := login(b, address, "registry")
		_ = r.conn.SetDeadline(time.Time{})
		r.send("SUBSCRIBE\ndestination:/topic/t\n\n\x00")
		r.sync()
		go func() {
			ends := endCounter{size: size}
			for {
				n, err := ends.read(r.conn)
				if n > 0 {
					counted <- n
				}
				if err != nil {
					return
				}
			}
		}()
	}
	p := login(b, address, "registry")
	_ = p.conn.SetDeadline(time.Time{})
	message := []byte("SEND\ndestination:/topic/t\n\n" + strings.Repeat("x", size) + "\x00")
	b.ReportAllocs()
	b.ResetTimer()
	rounds := (b.N + subscribers - 1) / subscribers
	inFlight := 0
	for range rounds {
		if _, err := p.conn.Write(message); err != nil {
			b.Fatal(err)
		}
		for inFlight += subscribers; inFlight > 32*subscribers; {
			inFlight -= <-counted
		}
	}
	for inFlight > 0 {
		inFlight -= <-counted
	}
	b.ReportMetric(float64(rounds*subscribers)/b.Elapsed().Seconds(), "deliveries/s")
}

// The client publishes with a receipt each, from several goroutines at once.
func BenchmarkClientPublish(b *testing.B) {
	address, _ := start(b, &Broker{})
	c := run(b, address, "registry")
	if err := c.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	m := Message{Destination: "/topic/t", Body: make([]byte, 1<<10)}
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Publish(b.Context(), m); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// From one client to another, every message acknowledged both ways.
func BenchmarkClientToClient(b *testing.B) {
	address, _ := start(b, &Broker{})
	from, to := run(b, address, "registry"), run(b, address, "registry")
	if err := to.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	got := make(chan error, 1000)
	_, err := to.Subscribe(b.Context(), Subscription{Destination: "/topic/t", AckEach: true}, func(_ context.Context, d Delivery) { got <- d.Ack() })
	if err != nil {
		b.Fatal(err)
	}
	if err := from.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	m := Message{Destination: "/topic/t", Body: make([]byte, 10<<10)}
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := from.Publish(b.Context(), m); err != nil {
				b.Error(err)
			}
			if err := <-got; err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkReadFrame(b *testing.B) {
	in := appendFrame(nil, &frame.Frame{
		Command: frame.SEND,
		Header:  frame.NewHeader("destination", "/exchange/mcollective_broadcast/registration", "mc_sender", "web1.acme.net", "reply-to", "/topic/mcollective.muster.reply.0123", "receipt", "r17"),
		Body:    make([]byte, 10<<10),
	}, v12)
	r := newFrameReader(nil, FrameLimits{64, 16 << 10, 8 << 20}, v12)
	source := bytes.NewReader(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		source.Reset(in)
		r.in.Reset(source)
		if _, err := r.read(); err != nil {
			b.Fatal(err)
		}
	}
}
