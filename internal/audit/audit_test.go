package audit

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, c Config) *Log {
	t.Helper()
	c.Now = func() time.Time { return noon }
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t interface{ Fatal(...any) }, l *Log, e Entry) {
	if err := l.Add(e); err != nil {
		t.Fatal(err)
	}
}

func read(t interface{ Fatal(...any) }, path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestALogIsChained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	add(t, l, Entry{Who: "alice", What: "POST /v1/thaw", Status: 200})
	add(t, l, Entry{Who: "mallory\n{\"n\":3}\u2028\x1b[2J", What: "GET /v1/search", Asked: "x\r\ny", Status: 403})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Path: path}) // another process
	add(t, again, Entry{Who: "bob", What: "POST /v1/thaw", Status: 200})
	last := again.Last()
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	text := read(t, path)
	if n := bytes.Count(text, []byte("\n")); n != 3 || strings.ContainsAny(string(text), "\r\x1b\u2028") {
		t.Fatalf("%d lines:\n%q", n, text)
	}
	v, err := Verify(bytes.NewReader(text))
	if err != nil || v.Lines != 3 || v.First != 1 || v.Last != last {
		t.Errorf("verified as %+v, %v; the last hash is %s", v, err, last)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", stat.Mode(), err)
	}
}

// Any change of a byte, and any line taken out, doubled or moved, is found.
func TestVerifyFindsWhatWasDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	for i := range 8 {
		add(t, l, Entry{Who: "alice", What: "POST /v1/registrations", Count: i, Status: 200})
	}
	text := read(t, path)
	rapid.Check(t, func(t *rapid.T) {
		forged := bytes.Clone(text)
		lines := bytes.SplitAfter(bytes.TrimSuffix(forged, []byte("\n")), []byte("\n"))
		i := rapid.IntRange(0, len(lines)-2).Draw(t, "line") // of the last nothing is known but by Last
		switch rapid.SampledFrom([]string{"byte", "gone", "twice", "swap"}).Draw(t, "what") {
		case "byte":
			at := rapid.IntRange(0, len(forged)-len(lines[len(lines)-1])-1).Draw(t, "at")
			forged[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		case "gone":
			if i == 0 {
				return // as of a log whose older files are gone, which First tells
			}
			forged = bytes.Join(slices.Delete(lines, i, i+1), nil)
		case "twice":
			forged = bytes.Join(slices.Insert(lines, i, lines[i]), nil)
		case "swap":
			lines[i], lines[i+1] = lines[i+1], lines[i]
			forged = bytes.Join(lines, nil)
		}
		if _, err := Verify(bytes.NewReader(forged)); err == nil {
			t.Fatalf("nothing was found in\n%s", forged)
		}
	})
}

func TestACrashLeavesHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	add(t, l, Entry{Who: "alice", Status: 200})
	add(t, l, Entry{Who: "bob", Status: 200})
	text := read(t, path)
	for cut := range len(text) {
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, Config{Path: path})
		add(t, l, Entry{Who: "carol", Status: 200})
		if v, err := Verify(bytes.NewReader(read(t, path))); err != nil || v.Lines != 1+uint64(bytes.Count(text[:cut], []byte("\n"))) {
			t.Fatalf("after %d bytes: %+v, %v", cut, v, err)
		}
	}
}

func TestFullFilesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path, MaxBytes: 1000, Keep: 3})
	for i := range 50 {
		add(t, l, Entry{Who: "alice", What: "POST /v1/thaw", Count: i, Status: 200})
		if i == 30 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, Config{Path: path, MaxBytes: 1000, Keep: 3})
		}
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 4 {
		t.Fatalf("%v %v", names, err)
	}
	var all []io.Reader
	for _, name := range append(names[1:], path) {
		all = append(all, bytes.NewReader(read(t, name)))
	}
	if v, err := Verify(all...); err != nil || v.Last != l.Last() || v.First < 2 || v.First+v.Lines-1 != 50 {
		t.Errorf("%+v %v", v, err)
	}
}

// On a full disk what was begun is told of, and nothing more is begun until
// there is room.
func TestAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, Config{Path: path})
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	file := l.file
	l.file = full
	if err := l.Add(Entry{Who: "alice"}); err == nil {
		t.Error("a line was written to a full disk")
	}
	if _, err := os.Stat(l.reserve()); err == nil {
		t.Error("the reserve was not given up")
	}
	if err := l.Ready(); err == nil {
		t.Error("it is ready on a full disk")
	}
	l.file = file
	if err := l.Ready(); err != nil {
		t.Errorf("there is room again, but %v", err)
	}
	add(t, l, Entry{Who: "bob"})
	if v, err := Verify(bytes.NewReader(read(t, path))); err != nil || v.Lines != 1 {
		t.Errorf("%+v %v", v, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Add(Entry{}) == nil || l.Ready() == nil {
		t.Error("a closed log takes lines")
	}
}

func TestAFileThatIsNoLogIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Path: path}); err == nil || string(read(t, path)) != "precious\n" {
		t.Errorf("%v, %q", err, read(t, path))
	}
}

func FuzzVerify(f *testing.F) {
	text, err := json.Marshal(line{Number: 1, Entry: Entry{Who: "alice"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(text, '\n'))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := Verify(bytes.NewReader(text)); err == nil && v.Lines != uint64(bytes.Count(text, []byte("\n"))) {
			t.Errorf("%d lines in %q", v.Lines, text)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	l := open(b, Config{Path: filepath.Join(b.TempDir(), "audit.log")})
	b.ReportAllocs()
	for b.Loop() {
		add(b, l, Entry{Who: "alice", What: "GET /v1/search", Asked: "customer=acme mysql::master", Count: 12, Status: 200})
	}
}
