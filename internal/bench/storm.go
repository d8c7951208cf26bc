//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"muster/internal/pki"
)

// storm is what many ask at once, over connections that stay open. A process of
// its own asks it, so that what the server takes can be told from what asking
// takes.
type storm struct {
	Address         string
	Keys            []string // folders of the certificates that are shown, in turn
	Connections     int
	PerSecond       int      // requests, due at fixed times over all connections; 0: each connection asks as soon as it has its answer
	Warmup, Seconds int      // of asking; what is asked at first does not count
	Paths           []string // are asked one after the other
}

// weathered is how a storm went.
type weathered struct {
	Count     int
	Bytes     int           // of the answers' bodies
	P50, P99  time.Duration // from when a request was due, or was sent where none was due, to its whole answer
	Most      time.Duration
	CPU, Wall time.Duration // of asking
}

// weather reads a storm from in, asks it, and writes how it went to out. It says
// there when it begins to count.
func weather(in io.Reader, out io.Writer) error {
	debug.SetGCPercent(400)
	var s storm
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return err
	}
	w, err := s.run(out)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(w)
}

func (s *storm) run(out io.Writer) (w weathered, err error) {
	askers := make([]*asker, s.Connections)
	for i := range askers {
		if askers[i], err = s.connect(i); err != nil {
			return w, err
		}
		defer askers[i].conn.Close()
	}
	requests := make([][]byte, len(s.Paths))
	for i, path := range s.Paths {
		requests[i] = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n"+
			"User-Agent: muster Puppet/8.10.0\r\nMuster-Requested-By: web_nginx03.fra1.hooli.example.net\r\n\r\n", path, s.Address)
	}
	var asking sync.WaitGroup
	began := time.Now()
	counts := began.Add(time.Duration(s.Warmup) * time.Second)
	var over atomic.Bool // since an answer was none
	for i, a := range askers {
		asking.Go(func() {
			if a.failed = s.keepAsking(a, i, began, requests, &over); a.failed != nil {
				over.Store(true)
			}
		})
	}
	time.Sleep(time.Until(counts))
	before := cpu()
	if _, err := fmt.Fprintln(out, "counting"); err != nil {
		return w, err
	}
	asking.Wait()
	w.CPU, w.Wall = cpu()-before, time.Since(counts)
	var took []time.Duration
	for _, a := range askers {
		err = cmp.Or(err, a.failed)
		took = append(took, a.took...)
		w.Bytes += a.bytes
	}
	if err != nil || len(took) == 0 {
		return w, errors.Join(err, fmt.Errorf("%d answers", len(took)))
	}
	w.Count, w.P50, w.P99, w.Most = len(took), percentile(took, 50), percentile(took, 99), slices.Max(took)
	return w, nil
}

// keepAsking asks over one connection until the time is over.
func (s *storm) keepAsking(a *asker, number int, began time.Time, requests [][]byte, over *atomic.Bool) error {
	counts := began.Add(time.Duration(s.Warmup) * time.Second)
	ends := counts.Add(time.Duration(s.Seconds) * time.Second)
	if err := a.conn.SetDeadline(ends.Add(30 * time.Second)); err != nil {
		return err
	}
	for n := number; !over.Load(); n += s.Connections {
		due := time.Now()
		if s.PerSecond > 0 {
			due = began.Add(time.Duration(n) * time.Second / time.Duration(s.PerSecond))
			time.Sleep(time.Until(due))
		}
		if !due.Before(ends) {
			return nil
		}
		size, err := a.ask(requests[n%len(requests)])
		if err != nil {
			return err
		}
		if !due.Before(counts) {
			a.took = append(a.took, time.Since(due))
			a.bytes += size
		}
	}
	return nil
}

// asker is one connection. A client of net/http would take longer than the server.
type asker struct {
	conn   net.Conn
	in     *bufio.Reader
	took   []time.Duration
	bytes  int
	failed error
}

func (s *storm) connect(number int) (*asker, error) {
	pair, err := pki.LoadKeyPair(s.Keys[number%len(s.Keys)])
	if err != nil {
		return nil, err
	}
	conn, err := tls.Dial("tcp", s.Address, &tls.Config{RootCAs: pair.Roots(), Certificates: []tls.Certificate{pair.TLS()}})
	if err != nil {
		return nil, err
	}
	return &asker{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

// ask sends a request and reads its answer, of which it returns the size.
func (a *asker) ask(request []byte) (size int, err error) {
	if _, err := a.conn.Write(request); err != nil {
		return 0, err
	}
	size = -1
	for first := true; ; first = false {
		line, err := a.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return 0, fmt.Errorf("answered %q", line)
		}
		if number, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(number))); err != nil {
				return 0, err
			}
		}
		if len(line) == len("\r\n") {
			if size < 0 {
				return 0, errors.New("the answer does not say how long it is")
			}
			return a.in.Discard(size)
		}
	}
}
