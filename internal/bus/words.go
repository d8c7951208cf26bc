package bus

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"unicode"

	"github.com/go-stomp/stomp/v3/frame"
)

// Refused is what a broker says before it closes a connection: an ERROR frame.
type Refused struct {
	Text string // in the broker's words
}

func (r *Refused) Error() string { return "the broker refused: " + r.Text }

func isRefused(err error) bool {
	_, ok := errors.AsType[*Refused](err)
	return ok
}

func brokerError(f *frame.Frame) *Refused {
	text := f.Header.Get(frame.Message)
	body, _, _ := bytes.Cut(bytes.TrimSpace(f.Body), []byte{'\n'})
	if len(body) > 0 && len(body) < 300 {
		if text != "" {
			text += ": "
		}
		text += string(body)
	}
	return &Refused{Text: printable(text)}
}

// printable keeps a hostile broker's text from steering a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// explainBroken says in words for people why a connection ended.
func explainBroken(err error) error {
	if bad, ok := errors.AsType[frameError](err); ok {
		return errors.New("the broker sent a malformed frame: " + string(bad))
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return errors.New("the broker has been silent for too long")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the broker closed the connection")
	}
	return errors.New("the connection broke: " + reason(err))
}

// reason is the innermost part of a network error: without the names of
// functions and the numbers of ports.
func reason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "no such host"
		}
		return dns.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err.Error()
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return "it does not answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}
