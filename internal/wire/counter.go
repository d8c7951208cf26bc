package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"muster/internal/durable"
)

// Counter numbers the messages of one sender: each number is the last plus
// one, or the nanoseconds since 1970 where that is more. So it goes up even
// if the clock is set back, and also if the file is lost, while the clock is
// right.
//
// It may be used by several goroutines at once; several processes may share
// the file. The zero Counter is one without a file.
type Counter struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	last uint64
}

// OpenCounter returns the counter that is kept in the file at path, which is
// made at the first number; beside it lies a lock file. An empty path keeps
// nothing: then only a right clock makes the numbers go up from one process
// to the next. A nil now means time.Now.
func OpenCounter(path string, now func() time.Time) (*Counter, error) {
	c := &Counter{path: path, now: now}
	if path == "" {
		return c, nil
	}
	return c, c.load()
}

// Next returns the next number, which by then is on the disk.
//
// If it could not be put there, the number comes with the error and may be
// used: within this process it is in order. A full disk need not keep a node
// from registering.
func (c *Counter) Next() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path == "" {
		return c.step(), nil
	}
	unlock, err := durable.Lock(c.path + ".lock")
	if err != nil {
		return c.step(), fmt.Errorf("keep the sequence: %w", err)
	}
	defer unlock()
	if err := c.load(); err != nil {
		return c.step(), err
	}
	next := c.step()
	if err := durable.Write(c.path, strconv.AppendUint(nil, next, 10)); err != nil {
		return next, fmt.Errorf("keep the sequence: %w", err)
	}
	return next, nil
}

func (c *Counter) step() uint64 {
	now := time.Now
	if c.now != nil {
		now = c.now
	}
	c.last = max(c.last+1, uint64(max(now().UnixNano(), 0)))
	return c.last
}

// load takes over what is in the file, if that is more than what is known.
func (c *Counter) load() error {
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep the sequence: %w", err)
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("keep the sequence: %s does not hold a number; if the clock is right, it can be removed", c.path)
	}
	c.last = max(c.last, last)
	return nil
}
