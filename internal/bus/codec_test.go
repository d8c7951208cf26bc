package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-stomp/stomp/v3/frame"
)

var roomy = FrameLimits{Headers: 16, HeaderBytes: 1 << 10, BodyBytes: 4 << 10}

// spell writes a frame so that a test can compare and show it.
func spell(f *frame.Frame) string {
	if f == nil {
		return "heart-beat"
	}
	var b strings.Builder
	b.WriteString(f.Command)
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		fmt.Fprintf(&b, " %q=%q", name, value)
	}
	fmt.Fprintf(&b, " %q", f.Body)
	return b.String()
}

func TestReadFrame(t *testing.T) {
	for _, c := range []struct {
		name    string
		version version
		in      string
		want    string // as spelt, or the error
	}{
		{"1.0 escapes nothing", v10, "SEND\na\\cb:c:\\n\n\n\x00", `SEND "a\\cb"="c:\\n" ""`},
		{"1.0 keeps CR", v10, "SEND\na:b\r\n\n\x00", `SEND "a"="b\r" ""`},
		{"1.1 unescapes", v11, "SEND\na\\cb:\\n\\\\\n\n\x00", `SEND "a:b"="\n\\" ""`},
		{"1.1 has no \\r", v11, "SEND\na:\\r\n\n\x00", "error: an escape sequence that STOMP 1.1 does not have"},
		{"1.2 has \\r", v12, "SEND\na:\\r\n\n\x00", `SEND "a"="\r" ""`},
		{"1.2 has no \\t", v12, "SEND\na:\\t\n\n\x00", "error: an escape sequence that STOMP 1.2 does not have"},
		{"an escape cut short", v12, "SEND\na:\\\n\n\x00", "error: an escape sequence that STOMP 1.2 does not have"},
		{"1.2 lines may end in CR LF", v12, "SEND\r\na:b\r\n\r\nx\x00", `SEND "a"="b" "x"`},
		{"CONNECT is never escaped", v12, "CONNECT\npasscode:a\\cb\n\n\x00", `CONNECT "passcode"="a\\cb" ""`},
		{"CONNECT with CR LF before a version is agreed on", v10, "CONNECT\r\nhost:/\r\n\r\n\x00", `CONNECT "host"="/" ""`},
		{"but what go-stomp writes is", goStomp, "CONNECT\npasscode:a\\cb\n\n\x00", `CONNECT "passcode"="a:b" ""`},
		{"a colon in a value", v10, "SEND\nd:stomp://h:1\n\n\x00", `SEND "d"="stomp://h:1" ""`},
		{"an empty value", v12, "SEND\na:\n\n\x00", `SEND "a"="" ""`},
		{"the first of equal headers comes first", v12, "SEND\na:1\na:2\n\n\x00", `SEND "a"="1" "a"="2" ""`},
		{"a body by length may hold NUL", v12, "SEND\ncontent-length:3\n\na\x00b\x00", `SEND "content-length"="3" "a\x00b"`},
		{"a body without length ends at NUL", v12, "SEND\n\nabc\x00def", `SEND "abc"`},
		{"a line break is a heart-beat", v12, "\nSEND\n\n\x00", "heart-beat"},
		{"and so is CR LF", v12, "\r\nSEND\n\n\x00", "heart-beat"},
		{"nothing", v12, "", "error: EOF"},
		{"half a command", v12, "SEN", "error: unexpected EOF"},
		{"half a header", v12, "SEND\na:b", "error: unexpected EOF"},
		{"half a body", v12, "SEND\ncontent-length:3\n\na", "error: unexpected EOF"},
		{"no NUL", v12, "SEND\n\nabc", "error: unexpected EOF"},
		{"an unknown command", v12, "GET / HTTP/1.1\n\n\x00", "error: unknown command"},
		{"no colon", v12, "SEND\nabc\n\n\x00", "error: a header line without a name and a colon"},
		{"no name", v12, "SEND\n:abc\n\n\x00", "error: a header line without a name and a colon"},
		{"NUL in a header", v12, "SEND\na:b\x00\n\n\x00", "error: NUL inside the headers"},
		{"a length that is no number", v12, "SEND\ncontent-length:-1\n\n\x00", "error: content-length is not a number"},
		{"a length that is a lie", v12, "SEND\ncontent-length:1\n\nabc\x00", "error: no NUL after the body: content-length is wrong"},
		{"a length beyond all numbers", v12, "SEND\ncontent-length:99999999999999999999\n\n\x00", "error: content-length is not a number"},
		{"headers at the limit", v12, "SEND\n" + strings.Repeat("a:b\n", 16) + "\n\x00", "SEND" + strings.Repeat(` "a"="b"`, 16) + ` ""`},
		{"one header too many", v12, "SEND\n" + strings.Repeat("a:b\n", 17) + "\n\x00", "error: more than 16 headers"},
		{"header bytes too many", v12, "SEND\na:" + strings.Repeat("b", 1<<10) + "\n\n\x00", "error: headers larger than 1024 bytes"},
		{"a command without end", v12, strings.Repeat("S", 1<<20), "error: headers larger than 1024 bytes"},
		{"a length beyond the limit", v12, "SEND\ncontent-length:4097\n\n", "error: body larger than 4096 bytes"},
		{"a body beyond the limit", v12, "SEND\n\n" + strings.Repeat("b", 4097) + "\x00", "error: body larger than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := newFrameReader(strings.NewReader(c.in), roomy, c.version).read()
			got := spell(f)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != c.want {
				t.Errorf("read %q\ngot  %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func TestBodyAtTheLimit(t *testing.T) {
	body := strings.Repeat("b", roomy.BodyBytes)
	for _, in := range []string{
		"SEND\n\n" + body + "\x00",
		fmt.Sprintf("SEND\ncontent-length:%d\n\n%s\x00", len(body), body),
	} {
		f, err := newFrameReader(strings.NewReader(in), roomy, v12).read()
		if err != nil || string(f.Body) != body {
			t.Errorf("a body of exactly %d bytes: %v", len(body), err)
		}
	}
}

func TestWriteFrame(t *testing.T) {
	f := frame.New(frame.SEND, "content-length", "7", "a:b", "c:\n\r\\")
	f.Body = []byte("x\x00")
	for _, c := range []struct {
		version version
		want    string
	}{
		{v10, "SEND\ncontent-length:2\n\nx\x00\x00"}, // it can not say that header
		{v11, "SEND\na\\cb:c\\c\\n\r\\\\\ncontent-length:2\n\nx\x00\x00"},
		{v12, "SEND\na\\cb:c\\c\\n\\r\\\\\ncontent-length:2\n\nx\x00\x00"},
	} {
		if got := string(appendFrame(nil, f, c.version)); got != c.want {
			t.Errorf("STOMP %s:\ngot  %q\nwant %q", c.version, got, c.want)
		}
	}
	if got, want := string(appendFrame(nil, frame.New(frame.CONNECTED, "session", "a:b", "x", "y\nz:1"), v12)), "CONNECTED\nsession:a:b\n\n\x00"; got != want {
		t.Errorf("CONNECTED: got %q, want %q", got, want)
	}
}

// A length alone must not make the reader set memory aside.
func TestClaimedLengthCostsNothing(t *testing.T) {
	limits := FrameLimits{Headers: 16, HeaderBytes: 1 << 10, BodyBytes: math.MaxInt32}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := newFrameReader(strings.NewReader("SEND\ncontent-length:2000000000\n\nx"), limits, v12).read()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for one byte of body", grown)
	}
}

// readAll reads to the end and returns what was read, spelt.
func readAll(in io.Reader, v version) (frames []*frame.Frame, all []string) {
	r := newFrameReader(in, roomy, v)
	for {
		f, err := r.read()
		if err != nil {
			return frames, append(all, "error: "+err.Error())
		}
		frames, all = append(frames, f), append(all, spell(f))
	}
}

// How bytes are cut into pieces changes nothing; nothing beyond the limits is
// ever held; and what was read can be written and read again.
func FuzzReadFrame(f *testing.F) {
	for _, seed := range []string{
		"CONNECT\r\naccept-version:1.0,1.1\r\n\r\n\x00\n", "SEND\na\\cb:c\\n\\r\n\nbody\x00\nSEND\ncontent-length:2\n\n\x00\x00\x00",
		"\n\r\nMESSAGE\n\n\x00", "SEND\ncontent-length:4097\n\n", "SEND\n" + strings.Repeat("a:b\n", 17) + "\n\x00",
		strings.Repeat("S", 2000), "ACK\nid:s1-2-3\n\n\x00garbage",
	} {
		for v := v10; v <= goStomp; v++ {
			f.Add([]byte(seed), byte(v))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, b byte) {
		v := version(b) % (goStomp + 1)
		frames, whole := readAll(bytes.NewReader(in), v)
		if _, bytewise := readAll(iotest.OneByteReader(bytes.NewReader(in)), v); !slices.Equal(whole, bytewise) {
			t.Fatalf("in one piece %q\nbyte by byte  %q", whole, bytewise)
		}
		for i, f := range frames {
			if f == nil {
				continue
			}
			if f.Header.Len() > roomy.Headers || len(f.Body) > roomy.BodyBytes {
				t.Fatalf("beyond the limits: %s", whole[i])
			}
			f.Header.Del(frame.ContentLength)
			f.Header.Add(frame.ContentLength, fmt.Sprint(len(f.Body)))
			written := appendFrame(nil, f, v)
			again, err := newFrameReader(bytes.NewReader(written), FrameLimits{100, 1 << 20, 1 << 20}, v).read()
			if err != nil {
				t.Fatalf("%s was written as %q: %v", whole[i], written, err)
			}
			again.Header.Del(frame.ContentLength)
			f.Header.Del(frame.ContentLength)
			if v == v10 || v != goStomp && isHandshake(f.Command) {
				dropUnsayable(f)
			}
			if spell(again) != spell(f) {
				t.Fatalf("%s was written as %q and read as %s", spell(f), written, spell(again))
			}
		}
	})
}

// dropUnsayable takes away the headers that a writer without escapes leaves out.
func dropUnsayable(f *frame.Frame) {
	h := &frame.Header{}
	for i := range f.Header.Len() {
		if name, value := f.Header.GetAt(i); !strings.ContainsAny(name+value, "\r\n") && !strings.Contains(name, ":") {
			h.Add(name, value)
		}
	}
	f.Header = h
}
