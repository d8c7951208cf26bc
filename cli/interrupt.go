package cli

import (
	"context"
	"io"
)

// interruptible is standard input that an interrupted command does not wait
// for. A read that is under way when ctx is done is left behind.
type interruptible struct {
	ctx  context.Context // a reader has no other way to be told
	from io.Reader
	got  chan chunk
	rest []byte
	err  error
}

type chunk struct {
	text []byte
	err  error
}

func (r *interruptible) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, interrupted()
	}
	if len(r.rest) == 0 && r.err == nil {
		if r.got == nil {
			r.got = make(chan chunk, 1)
		}
		go func() {
			text := make([]byte, 64<<10)
			n, err := r.from.Read(text)
			r.got <- chunk{text[:n], err}
		}()
		select {
		case c := <-r.got:
			r.rest, r.err = c.text, c.err
		case <-r.ctx.Done():
			return 0, interrupted()
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// interrupted is what a command ends with that the person broke off.
func interrupted() error { return &fault{kind: faultStatus, status: 130} }
