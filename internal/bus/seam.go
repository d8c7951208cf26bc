package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// seam is the connection that the go-stomp library is given. Every frame passes
// through it, in both directions, so that it can do what the library does not:
//
//   - bound what a hostile broker may send, and write headers as the negotiated
//     version does (the library always writes 1.2, in CONNECT too);
//   - notice silence as it was agreed on (the library waits for heart-beats of a
//     broker that said it sends none);
//   - receipts that do not hold the library's lock while they are waited for,
//     for SUBSCRIBE too;
//   - a death without leaks. The library's goroutines all end when the seam's
//     Read returns io.EOF, and may block for ever if they end in another way;
//     so an ERROR, a failed write and silence all come to it as io.EOF, and a
//     write after death succeeds.
type seam struct {
	net.Conn
	in      *frameReader
	own     time.Duration // the heart-beat asked for
	silence time.Duration // the broker is taken for dead after it; the reader's
	buffer  []byte        // holds what was read last
	ready   []byte        // the part of it that Read has not given out yet

	// The library's writer's.
	partial []byte       // what it has written of a frame so far
	source  bytes.Reader // of partial
	whole   *frameReader // of source

	writing sync.Mutex // held while writing to the broker
	version version
	out     []byte        // reused
	timeout time.Duration // for one write

	// registering is held by whoever hands the library a SUBSCRIBE, until it has
	// passed: the library only ends subscriptions that it has seen.
	registering sync.RWMutex
	dead        chan struct{} // closed when the connection has ended
	died        sync.Once
	why         error         // once dead
	closed      chan struct{} // closed when the library has ended too
	closing     sync.Once

	mu       sync.Mutex
	receipts map[string]*receipt
}

// receipt is one wait for the broker.
type receipt struct {
	passed chan struct{} // closed when the frame has left the library
	done   chan error    // gets one value: nil, or the broker's refusal
}

func newReceipt() *receipt {
	return &receipt{passed: make(chan struct{}), done: make(chan error, 1)}
}

// receiptHeader carries a receipt's name through the library, which would
// otherwise wait for it in its own way.
const receiptHeader = "muster-receipt"

func newSeam(conn net.Conn, limits FrameLimits, heartBeat, timeout time.Duration) *seam {
	unlimited := FrameLimits{math.MaxInt, math.MaxInt, math.MaxInt} // the library is trusted
	return &seam{
		whole: newFrameReader(nil, unlimited, goStomp),
		Conn:  conn, in: newFrameReader(conn, limits, v10), version: v10,
		own: heartBeat, timeout: timeout,
		dead: make(chan struct{}), closed: make(chan struct{}), receipts: map[string]*receipt{},
	}
}

// fail ends the connection for a reason.
func (s *seam) fail(why error) {
	s.died.Do(func() {
		s.why = why
		close(s.dead)
		s.Conn.Close()
	})
}

// Close is the last thing that the library does.
func (s *seam) Close() error {
	s.fail(errors.New("the connection was closed"))
	s.closing.Do(func() { close(s.closed) })
	return nil
}

// Read gives the library what the broker sent.
func (s *seam) Read(b []byte) (int, error) {
	for len(s.ready) == 0 {
		if !s.next() {
			s.registering.Lock()
			defer s.registering.Unlock()
			return 0, io.EOF
		}
	}
	n := copy(b, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// next reads one frame into ready, or reports false at the end of all frames.
func (s *seam) next() bool {
	if s.silence > 0 {
		_ = s.SetReadDeadline(time.Now().Add(s.silence))
	}
	select {
	case <-s.dead:
		return false
	default:
	}
	f, err := s.in.read()
	if err != nil {
		s.fail(explainBroken(err))
		return false
	}
	if f == nil {
		s.ready = []byte{'\n'}
		return true
	}
	switch f.Command {
	case frame.CONNECTED:
		if err := s.connected(f); err != nil {
			s.fail(err)
			return false
		}
	case frame.RECEIPT:
		// One that is not ours answers an UNSUBSCRIBE, and is the library's.
		id := f.Header.Get(frame.ReceiptId)
		if id == "" || s.settle(id, nil) {
			return true
		}
	case frame.ERROR:
		refused := brokerError(f)
		if s.settle(f.Header.Get(frame.ReceiptId), refused) {
			// Whoever else waits did nothing wrong, and may try again.
			s.fail(errors.New(refused.Error()))
		} else {
			s.fail(refused)
		}
		return false
	}
	s.buffer = appendFrame(emptied(s.buffer), f, goStomp)
	s.ready = s.buffer
	return true
}

// connected takes the version and the heart-beats from the broker's answer.
func (s *seam) connected(f *frame.Frame) error {
	if s.in.version != v10 {
		return errors.New("the broker said CONNECTED twice")
	}
	v, ok := newestOf(f.Header.Get(frame.Version))
	if !ok || v == v10 {
		return errors.New("the broker speaks only STOMP 1.0, and 1.1 is needed")
	}
	s.in.version = v
	s.writing.Lock()
	s.version = v
	s.writing.Unlock()
	text := f.Header.Get(frame.HeartBeat)
	b, err := agree(text, s.own)
	s.silence = b.in
	if _, wants, ok := strings.Cut(text, ","); ok {
		// The library is told that the broker sends nothing, so as not to wait.
		f.Header.Set(frame.HeartBeat, "0,"+wants)
	}
	return err
}

// settle ends the wait for a receipt, and reports whether it was one of ours.
func (s *seam) settle(id string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.receipts[id]
	if r == nil {
		return false
	}
	delete(s.receipts, id)
	r.done <- err
	return true
}

// expect names a receipt.
func (s *seam) expect(id string, r *receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts[id] = r
}

// forget ends nobody's wait: who waited has gone.
func (s *seam) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.receipts, id)
}

// Write takes what the library writes, and passes on whole frames.
func (s *seam) Write(b []byte) (int, error) {
	if len(s.partial) == 0 && len(b) == 1 && b[0] == '\n' {
		s.beat()
		return len(b), nil
	}
	s.partial = append(s.partial, b...)
	// The library flushes after every frame, so that a frame is the end of a write.
	if s.partial[len(s.partial)-1] != 0 {
		return len(b), nil
	}
	s.source.Reset(s.partial)
	s.whole.in.Reset(&s.source)
	f, err := s.whole.read()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return len(b), nil
	}
	s.partial = emptied(s.partial)
	if err != nil {
		s.fail(errors.New("a message cannot be written: " + err.Error()))
		return len(b), nil
	}
	if f.Command == frame.CONNECT {
		f.Header.Set(frame.HeartBeat, fmt.Sprintf("%d,%d", s.own.Milliseconds(), s.own.Milliseconds()))
	}
	id, ok := f.Header.Contains(receiptHeader)
	if ok {
		f.Header.Del(receiptHeader)
		f.Header.Add(frame.Receipt, id)
	}
	s.mu.Lock()
	r := s.receipts[id] // before the answer can take it away
	s.mu.Unlock()
	s.sendFrame(f)
	if r != nil {
		close(r.passed)
	}
	return len(b), nil
}

// emptied returns b for reuse, unless it is so large that it better goes.
func emptied(b []byte) []byte {
	if cap(b) > 256<<10 {
		return nil
	}
	return b[:0]
}

// sendFrame writes a frame to the broker, past the library.
func (s *seam) sendFrame(f *frame.Frame) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.out = appendFrame(emptied(s.out), f, s.version)
	s.send(s.out)
}

// beat writes a heart-beat.
func (s *seam) beat() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.send([]byte{'\n'})
}

// send writes to the broker. A failure ends the connection, and is not the
// caller's to know. The caller holds writing.
func (s *seam) send(b []byte) {
	select {
	case <-s.dead:
		return
	default:
	}
	_, err := deadlineWriter{s.Conn, s.timeout}.Write(b)
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		s.fail(fmt.Errorf("the broker took nothing for %s", s.timeout))
	} else if err != nil {
		s.fail(explainBroken(err))
	}
}
