package bus

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Config is what a Client needs to know. Only Brokers must be set.
type Config struct {
	// Brokers are tried in turn: stomp://HOST:PORT or stomp+ssl://HOST:PORT,
	// with /VHOST if that broker's virtual host is not Vhost.
	Brokers []string

	Login, Passcode string
	Vhost           string      // RabbitMQ's virtual host; empty: "/"
	TLS             *tls.Config // for stomp+ssl; nil: the system's roots, no client certificate

	HeartBeat      time.Duration // both ways; 0: 15 s
	ConnectTimeout time.Duration // for connecting, TLS and login together; 0: 10 s
	WriteTimeout   time.Duration // for a write that makes no progress; 0: 10 s
	AnswerTimeout  time.Duration // for the broker to confirm; 0: 30 s
	BackOff        time.Duration // after the first round of failures, then doubled; 0: 250 ms
	MaxBackOff     time.Duration // 0: 30 s
	MaxBody        int           // bytes of the largest message, either way; 0: 8 MiB

	// Queue is how many bytes of deliveries may wait for one subscription's
	// handler. One more, and the connection is dropped and made again. 0: 64 MiB.
	Queue int

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()
}

// Client keeps one connection to one of several brokers, makes it again when
// it is lost, and with it all subscriptions. Its methods may be called at the
// same time from anywhere.
type Client struct {
	config Config
	retry  time.Duration // until a subscription that was refused is tried again

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	session     *session          // nil while there is none, or not all subscriptions are on it
	changed     chan struct{}     // closed when session or ended changes
	launch      func(*subscriber) // starts a handler; nil unless Run runs
	ended       bool              // Run has returned
	status      Status
}

// Status is how a client's connection fares.
type Status struct {
	Connected bool
	Broker    string    // the broker it is connected to, or the one it was connected to last
	Since     time.Time // when that began, connected or not; zero before Run
	LastError string    // what went wrong last, in words; empty if nothing has
	ErrorAt   time.Time
	Failures  int // attempts that failed since it was last connected
}

// NewClient returns a client that connects when it is run.
func NewClient(c Config) *Client {
	c.HeartBeat = cmp.Or(c.HeartBeat, 15*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 10*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.AnswerTimeout = cmp.Or(c.AnswerTimeout, 30*time.Second)
	c.BackOff = cmp.Or(c.BackOff, 250*time.Millisecond)
	c.MaxBackOff = cmp.Or(c.MaxBackOff, 30*time.Second)
	c.MaxBody = cmp.Or(c.MaxBody, 8<<20)
	c.Queue = cmp.Or(c.Queue, 64<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Client{config: c, retry: time.Minute, subscribers: map[*subscriber]struct{}{}, changed: make(chan struct{})}
}

// Run connects and stays connected until ctx is done; then it says goodbye to
// the broker, waits for the handlers that still run, and returns nil. An error
// is a configuration that can not work. A client can be run once.
func (c *Client) Run(ctx context.Context) error {
	addresses, err := c.addresses()
	if err != nil {
		return err
	}
	var handlers sync.WaitGroup
	c.begin(ctx, &handlers)
	defer handlers.Wait()
	defer c.finish()

	for failures := 0; ctx.Err() == nil; {
		a := addresses[failures%len(addresses)]
		lasted, err := c.connection(ctx, a)
		if ctx.Err() != nil {
			break
		}
		failures++
		if lasted >= steady {
			failures = 0 // and begin with the first broker again
		}
		pause := c.pause(failures, len(addresses))
		c.config.Log.Warn("no connection to the broker", "error", err, "next_attempt_in", pause.Round(time.Millisecond))
		sleep(ctx, pause)
	}
	return nil
}

// steady is how long a connection has to last to count as a success.
const steady = 10 * time.Second

func (c *Client) addresses() ([]address, error) {
	if len(c.config.Brokers) == 0 {
		return nil, errors.New("no broker is configured")
	}
	var all []address
	for _, text := range c.config.Brokers {
		a, err := parseAddress(text)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// pause is how long to wait after so many failures in a row: nothing between
// the brokers of a round, and more after each round. Chance spreads out the
// clients of a broker that went away.
func (c *Client) pause(failures, brokers int) time.Duration {
	if failures%brokers != 0 {
		return 0
	}
	d := c.config.BackOff
	for range failures/brokers - 1 {
		if d *= 2; d >= c.config.MaxBackOff {
			d = c.config.MaxBackOff
			break
		}
	}
	return d/2 + rand.N(d/2+1)
}

func (c *Client) begin(ctx context.Context, handlers *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Since = c.config.Now()
	c.launch = func(s *subscriber) {
		ctx, stop := context.WithCancel(ctx)
		s.stop = stop
		handlers.Go(func() { s.work(ctx) })
	}
	for s := range c.subscribers {
		c.launch(s)
	}
}

func (c *Client) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.launch, c.ended = nil, true
	for s := range c.subscribers {
		s.stop()
	}
	c.change(nil)
}

// Ready waits until the client is connected, all its subscriptions with it.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.current(ctx)
	return err
}

// Connected says whether Publish would not have to wait for a connection now.
func (c *Client) Connected() bool { return c.Status().Connected }

// Status says how the connection fares.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Connected = c.session != nil
	return s
}
