package api

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Rates of one principal, where the configuration says nothing: requests a
// second, and bytes of bodies a minute. Who speaks for many may have more.
const (
	usualRate  = 500
	usualBytes = 64 << 20
	manyfold   = 20 // of a forwarder and an administrator
	burst      = 2  // seconds' worth of requests at once
)

// Joins from one address: a fleet that comes up behind one address takes its
// time, since every join costs a signature.
const (
	joinRate  = 1
	joinBurst = 60
)

// rates are how much each principal may still do.
type rates struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket holds what may be taken at once; it fills by itself.
type bucket struct {
	left, most, perSecond float64
	at                    time.Time
}

// maxBuckets is from when on full ones are thrown away.
const maxBuckets = 10_000

// take takes n out of who's bucket, which may fall below nothing, and returns
// how long there was too little in it: then nothing is taken.
func (r *rates) take(who string, n, most, perSecond float64) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b := r.buckets[who]
	if b == nil {
		r.tidy(now)
		b = &bucket{left: most, at: now}
		r.buckets[who] = b
	}
	b.most, b.perSecond = most, perSecond
	b.fill(now)
	if b.left < min(n, 1) {
		return time.Duration((min(n, 1) - b.left) / perSecond * float64(time.Second))
	}
	b.left -= n
	return 0
}

// charge takes n whatever is left.
func (r *rates) charge(who string, n float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.buckets[who]; b != nil {
		b.left -= n
	}
}

func (b *bucket) fill(now time.Time) {
	if took := now.Sub(b.at); took > 0 {
		b.left = min(b.most, b.left+took.Seconds()*b.perSecond)
	}
	b.at = now
}

func (r *rates) tidy(now time.Time) {
	if r.buckets == nil {
		r.buckets = map[string]*bucket{}
	}
	if len(r.buckets) < maxBuckets {
		return
	}
	for who, b := range r.buckets {
		if b.fill(now); b.left >= b.most {
			delete(r.buckets, who)
		}
	}
}

// within keeps a principal, or where there is none an address, within its rate.
func (s *Server) within(c echo.Context, p Principal, anyone bool) error {
	if anyone {
		if c.Request().Method == http.MethodGet {
			return nil
		}
		return tooOften(s.rates.take("from "+network(c.RealIP()), 1, joinBurst, joinRate), "this address")
	}
	rate := s.rateOf(p)
	who := p.Auth + " " + p.Name
	if err := tooOften(s.rates.take(who, 1, rate*burst, rate), p.Name); err != nil {
		return err
	}
	bytes := s.bytesOf(p)
	return tooOften(s.rates.take("bytes "+who, 0.0001, bytes, bytes/60), p.Name)
}

func (s *Server) rateOf(p Principal) float64 { return s.Rate * timesFor(p) }

func (s *Server) bytesOf(p Principal) float64 { return float64(s.BytesPerMinute) * timesFor(p) }

func timesFor(p Principal) float64 {
	if p.Role == Forwarder || p.Role == Admin {
		return manyfold
	}
	return 1
}

func tooOften(wait time.Duration, who string) error {
	if wait <= 0 {
		return nil
	}
	f := fail(http.StatusTooManyRequests, "%s asks more often, or sends more, than it may", who)
	f.wait = strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
	return f
}

// network is the address whose holder has all the others of it: an IPv6 host has
// 2^64.
func network(address string) string {
	ip := net.ParseIP(address)
	if ip == nil || ip.To4() != nil {
		return address
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
