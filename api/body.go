package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// boundBody returns the body of a request, uncompressed, of at most limit
// bytes. Reading past a limit is an error that is answered with 413.
func (u *unpackers) boundBody(w http.ResponseWriter, r *http.Request, limit int64) (io.ReadCloser, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		if r.ContentLength > limit {
			return nil, tooLarge(limit)
		}
		return http.MaxBytesReader(w, r.Body, limit), nil
	case "gzip", "x-gzip":
		if r.ContentLength > maxCompressed {
			return nil, tooLarge(maxCompressed)
		}
		packed := &counted{ReadCloser: http.MaxBytesReader(w, r.Body, min(limit, maxCompressed))}
		plain, err := u.take(packed)
		if err != nil {
			return nil, badGzip(err)
		}
		return &unpacked{plain: plain, packed: packed, limit: limit}, nil
	default:
		return nil, fail(http.StatusUnsupportedMediaType, "the content encoding %q is not known", cut(encoding, 60)).
			hint("send gzip, or none")
	}
}

func tooLarge(limit int64) *Failure {
	return fail(http.StatusRequestEntityTooLarge, "the request is larger than the %d bytes that it may be", limit)
}

func badGzip(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return fail(http.StatusBadRequest, "the body is announced as gzip and is not")
}

// unpacked is a gzip body that may neither grow beyond limit nor be packed so
// tightly that a few bytes keep the server busy.
type unpacked struct {
	plain  *gzip.Reader
	packed *counted
	limit  int64
	read   int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.plain.Read(p)
	u.read += int64(n)
	// The reader below is ahead by its buffer, so that a small body never
	// comes near the ratio.
	if u.read > u.limit || u.read > maxRatio*max(u.packed.read, 1024) {
		return n, tooLarge(u.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, badGzip(err)
	}
	return n, err
}

func (u *unpacked) Close() error { return errors.Join(u.plain.Close(), u.packed.Close()) }

// unpackers are gzip's, whose tables are too large to be made for each body.
type unpackers struct{ pool sync.Pool }

func (u *unpackers) take(packed io.Reader) (*gzip.Reader, error) {
	plain, ok := u.pool.Get().(*gzip.Reader)
	if !ok {
		return gzip.NewReader(packed)
	}
	return plain, plain.Reset(packed)
}

// giveBack takes back what a body was unpacked with, which must not be read any
// more.
func (u *unpackers) giveBack(body io.ReadCloser) {
	if b, ok := body.(*unpacked); ok {
		u.pool.Put(b.plain)
	}
}

type counted struct {
	io.ReadCloser
	read int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read += int64(n)
	return n, err
}

// readBody reads all of a body at once, with room for what is likely to come.
func readBody(r *http.Request) ([]byte, error) {
	var out bytes.Buffer
	likely := max(r.ContentLength, 0)
	if r.Header.Get("Content-Encoding") != "" {
		likely *= 8
	}
	out.Grow(int(min(likely, 64<<10)) + bytes.MinRead)
	_, err := out.ReadFrom(r.Body)
	return out.Bytes(), err
}
