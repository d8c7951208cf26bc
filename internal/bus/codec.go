package bus

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-stomp/stomp/v3/frame"
)

// version is how a connection writes its headers.
type version int

const (
	v10 version = iota // nothing is escaped
	v11                // \\ \n \c
	v12                // and \r; lines may end in CR LF

	// goStomp is what the go-stomp library writes and reads whatever was
	// negotiated: escapes as in 1.2, in CONNECT and CONNECTED too.
	goStomp
)

func (v version) String() string {
	return [...]string{"1.0", "1.1", "1.2", "1.2"}[v]
}

// frameError is a frame that breaks the protocol or a limit; its text is for
// the other side.
type frameError string

func (e frameError) Error() string { return string(e) }

// frameReader reads frames and never holds more than its limits.
type frameReader struct {
	in      *bufio.Reader
	limits  FrameLimits
	version version
	block   []byte // the header lines of the frame being read, reused
	ends    []int  // where each header line ends in block, reused
}

func newFrameReader(in io.Reader, limits FrameLimits, v version) *frameReader {
	return &frameReader{in: bufio.NewReader(in), limits: limits, version: v}
}

// read returns the next frame, or nil for a line break between frames: a
// heart-beat. At the end of the input between two frames the error is io.EOF.
func (r *frameReader) read() (*frame.Frame, error) {
	r.block, r.ends = r.block[:0], r.ends[:0]
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) == 0 {
		return nil, nil
	}
	command := knownCommand(line)
	if command == "" {
		return nil, frameError("unknown command")
	}
	header, err := r.header(command)
	if err != nil {
		return nil, noEOF(err)
	}
	body, err := r.body(header)
	if err != nil {
		return nil, noEOF(err)
	}
	return &frame.Frame{Command: command, Header: header, Body: body}, nil
}

// noEOF turns the end of the input inside a frame into an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line appends one line to the block and returns it, without its line break.
func (r *frameReader) line() ([]byte, error) {
	start := len(r.block)
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.block)+len(part) > r.limits.HeaderBytes {
			return nil, frameError(fmt.Sprintf("headers larger than %d bytes", r.limits.HeaderBytes))
		}
		r.block = append(r.block, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(r.block) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		r.block = r.block[:len(r.block)-1]
		return r.block[start:], nil
	}
}

func (r *frameReader) header(command string) (*frame.Header, error) {
	handshake := isHandshake(command)
	first := len(r.block)
	for {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		// A client that has not logged in has no version yet, and 1.2 allows CR LF.
		if (r.version == v12 || handshake) && bytes.HasSuffix(line, []byte{'\r'}) {
			line = line[:len(line)-1]
			r.block = r.block[:len(r.block)-1]
		}
		if len(line) == 0 {
			break
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return nil, frameError("NUL inside the headers")
		}
		if len(r.ends) >= r.limits.Headers {
			return nil, frameError(fmt.Sprintf("more than %d headers", r.limits.Headers))
		}
		r.ends = append(r.ends, len(r.block)-first)
	}
	escapes := r.version
	if handshake && escapes != goStomp {
		escapes = v10
	}
	text := string(r.block[first:])
	entries := make([]string, 0, 2*len(r.ends))
	start := 0
	for _, end := range r.ends {
		name, value, ok := strings.Cut(text[start:end], ":")
		start = end
		if !ok || name == "" {
			return nil, frameError("a header line without a name and a colon")
		}
		name, ok = unescape(name, escapes)
		value, ok2 := unescape(value, escapes)
		if !ok || !ok2 {
			return nil, frameError("an escape sequence that STOMP " + r.version.String() + " does not have")
		}
		entries = append(entries, name, value)
	}
	return frame.NewHeader(entries...), nil
}

// firstBody is how much is set aside for a body at once; a larger one grows as
// its bytes arrive, so that a length alone costs the sender's peer nothing.
const firstBody = 64 << 10

func (r *frameReader) body(header *frame.Header) ([]byte, error) {
	text, ok := header.Contains(frame.ContentLength)
	if !ok {
		return r.bodyToNUL()
	}
	length, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return nil, frameError("content-length is not a number")
	}
	if length > uint64(r.limits.BodyBytes) {
		return nil, r.bodyTooLarge()
	}
	body := make([]byte, 0, min(int(length), firstBody))
	for len(body) < int(length) {
		if len(body) == cap(body) {
			body = slices.Grow(body, min(len(body), int(length)-len(body)))
		}
		n, err := r.in.Read(body[len(body):min(cap(body), int(length))])
		body = body[:len(body)+n]
		if err != nil {
			return nil, err
		}
	}
	end, err := r.in.ReadByte()
	if err != nil {
		return nil, err
	}
	if end != 0 {
		return nil, frameError("no NUL after the body: content-length is wrong")
	}
	return body, nil
}

func (r *frameReader) bodyToNUL() ([]byte, error) {
	var body []byte
	for {
		part, err := r.in.ReadSlice(0)
		if err == nil {
			part = part[:len(part)-1]
		}
		if len(body)+len(part) > r.limits.BodyBytes {
			return nil, r.bodyTooLarge()
		}
		body = append(body, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return body, err
		}
	}
}

func (r *frameReader) bodyTooLarge() error {
	return frameError(fmt.Sprintf("body larger than %d bytes", r.limits.BodyBytes))
}

// knownCommand returns the command that line names, or "".
func knownCommand(line []byte) string {
	switch string(line) {
	case frame.SEND:
		return frame.SEND
	case frame.MESSAGE:
		return frame.MESSAGE
	case frame.ACK:
		return frame.ACK
	case frame.NACK:
		return frame.NACK
	case frame.RECEIPT:
		return frame.RECEIPT
	case frame.SUBSCRIBE, frame.UNSUBSCRIBE, frame.CONNECT, frame.CONNECTED, frame.STOMP,
		frame.ERROR, frame.DISCONNECT, frame.BEGIN, frame.COMMIT, frame.ABORT:
		return string(line)
	}
	return ""
}

// isHandshake says whether a frame belongs to the log-in, in which nothing is
// ever escaped.
func isHandshake(command string) bool {
	return command == frame.CONNECT || command == frame.CONNECTED || command == frame.STOMP
}

// unescape undoes the escapes of a version; ok is false for one it does not have.
func unescape(s string, v version) (text string, ok bool) {
	if v == v10 || strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch {
		case i == len(s):
			return "", false
		case s[i] == '\\':
			b = append(b, '\\')
		case s[i] == 'n':
			b = append(b, '\n')
		case s[i] == 'c':
			b = append(b, ':')
		case s[i] == 'r' && v != v11:
			b = append(b, '\r')
		default:
			return "", false
		}
	}
	return string(b), true
}

// appendFrame appends f as version v writes it. The content-length is that of
// the body, whatever f's header says.
func appendFrame(b []byte, f *frame.Frame, v version) []byte {
	escapes := v
	if v != goStomp && isHandshake(f.Command) {
		escapes = v10
	}
	b = append(b, f.Command...)
	b = append(b, '\n')
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		if name != frame.ContentLength {
			b = appendHeader(b, name, value, escapes)
		}
	}
	if len(f.Body) > 0 || f.Command == frame.SEND || f.Command == frame.MESSAGE {
		b = append(b, "content-length:"...)
		b = strconv.AppendInt(b, int64(len(f.Body)), 10)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, f.Body...)
	return append(b, 0)
}

// appendHeader appends one header line. One that the version can not say (a
// line break in 1.0, a NUL anywhere) is left out rather than let it make up
// headers of its own.
func appendHeader(b []byte, name, value string, v version) []byte {
	if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0 {
		return b
	}
	if v == v10 {
		if name == "" || strings.ContainsAny(name, ":\n\r") || strings.ContainsAny(value, "\n\r") {
			return b
		}
		b = append(b, name...)
		b = append(b, ':')
		b = append(b, value...)
		return append(b, '\n')
	}
	b = appendEscaped(b, name, v)
	b = append(b, ':')
	b = appendEscaped(b, value, v)
	return append(b, '\n')
}

func appendEscaped(b []byte, s string, v version) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == ':':
			b = append(b, `\c`...)
		case c == '\r' && v != v11:
			b = append(b, `\r`...)
		default:
			b = append(b, c)
		}
	}
	return b
}
