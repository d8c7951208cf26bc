package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"muster/registry"
	"muster/registry/boltstore"
)

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	s := open(t, path)
	defer closeStore(t, s)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file has mode %v, want 0600", got)
	}
}

// TestOpenSaysWhatIsWrong: each text names the file and can be acted upon.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, path string)
	}{
		{"in use", "is in use by another process", func(t *testing.T, path string) {
			s := open(t, path)
			t.Cleanup(func() { closeStore(t, s) })
		}},
		{"a folder", "is not a file", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"something else", "is damaged", func(t *testing.T, path string) {
			write(t, path, bytes.Repeat([]byte("these are the diaries of a cat\n"), 1000))
		}},
		{"zeros", "is damaged", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) }},
		{"short", "is damaged", func(t *testing.T, path string) { write(t, path, []byte("x")) }},
		{"another database", "is no store of muster", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			update(t, path, func(tx *bolt.Tx) error {
				_, err := tx.CreateBucket([]byte("cats"))
				return err
			})
		}},
		{"a later format", `has format "2" and this version of muster reads "1" only`, func(t *testing.T, path string) {
			update(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("2")) })
		}},
		{"cut off", "pages are missing at its end", func(t *testing.T, path string) {
			content := read(t, path)
			write(t, path, content[:len(content)/3])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filled(t, 500)
			c.spoil(t, path)
			s, err := boltstore.Open(t.Context(), path)
			if err == nil {
				closeStore(t, s)
				t.Fatal("opened")
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, path) || strings.Contains(text, "bolt") {
				t.Errorf("error %q\nwant %q in it, and the file's name, and no library's", text, c.want)
			}
		})
	}
}

// TestDamageIsNoticed overwrites parts of a file and wants an error in words or
// the right nodes, never wrong nodes and never the end of the process.
func TestDamageIsNoticed(t *testing.T) {
	path := filled(t, 300)
	sound := read(t, path)
	want := load(t, path)
	noticed := 0
	for round := range 120 {
		random := rand.New(rand.NewPCG(uint64(round), 2))
		spoilt := bytes.Clone(sound)
		at := random.IntN(len(spoilt))
		length := min(1+random.IntN([]int{1, 4, 64, 6000}[round%4]), len(spoilt)-at)
		for i := range length {
			spoilt[at+i] = byte(random.Uint32())
		}
		path := filepath.Join(t.TempDir(), "nodes.db")
		write(t, path, spoilt)
		got, err := tryLoad(t.Context(), path)
		switch {
		case err != nil:
			noticed++
			if !strings.Contains(err.Error(), "is damaged") {
				t.Errorf("round %d, %d bytes at %d: %v; want that it is damaged", round, length, at, err)
			}
		case got != want:
			t.Errorf("round %d, %d bytes at %d: other nodes were loaded, without an error", round, length, at)
		}
	}
	if noticed < 30 {
		t.Errorf("%d of 120 damages were noticed; the test spoils too little", noticed)
	}
}

// filled returns a store's file with n nodes, closed.
func filled(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nodes.db")
	s := open(t, path)
	nodes := make([]registry.Node, n)
	for i := range nodes {
		nodes[i] = node(fmt.Sprintf("node%04d", i), i)
	}
	if err := s.Put(t.Context(), nodes...); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	return path
}

func node(id string, i int) registry.Node {
	random := rand.New(rand.NewPCG(uint64(i), 3))
	facts := map[string]any{"i": int64(i)}
	for range 20 {
		facts[fmt.Sprintf("key%d", random.IntN(1000))] = fmt.Sprint(random.Uint64())
	}
	at := time.UnixMilli(1700000000000 + int64(i)).UTC()
	return registry.NewNode(registry.Identity(id), at, map[registry.Source]*registry.Section{
		registry.Daemon: {Facts: facts, Received: at, Changed: at, Hash: fmt.Sprint(i)},
	})
}

// load is everything in a store's file, as text.
func load(t *testing.T, path string) string {
	t.Helper()
	text, err := tryLoad(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tryLoad(ctx context.Context, path string) (text string, err error) {
	s, err := boltstore.Open(ctx, path)
	if err != nil {
		return "", err
	}
	var b []byte
	err = s.Load(ctx, func(n registry.Node) error {
		b = append(registry.AppendRecord(b, &n), '\n')
		return nil
	})
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return string(b), err
}

func closeStore(t testing.TB, s *boltstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func update(t *testing.T, path string, f func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTheDictionary: nodes after the first ten take a fraction, all of them are
// read back, and a damaged dictionary is noticed.
func TestTheDictionary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.db")
	const rounds, each = 3, 8
	for round := range rounds {
		s := open(t, path)
		if err := s.Load(t.Context(), func(registry.Node) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for i := range each {
			if err := s.Put(t.Context(), usualNode(t, round*each+i)); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, s)
	}
	s := open(t, path)
	found := 0
	if err := s.Load(t.Context(), func(n registry.Node) error {
		found++
		if want := usualNode(t, found-1); string(registry.AppendRecord(nil, &n)) != string(registry.AppendRecord(nil, &want)) {
			t.Errorf("%s reads back as another", n.Identity)
		}
		return nil
	}); err != nil || found != rounds*each {
		t.Errorf("read %d nodes, %v", found, err)
	}
	closeStore(t, s)

	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		first := len(tx.Bucket([]byte("nodes")).Get([]byte("node00000.example.net")))
		last := len(tx.Bucket([]byte("nodes")).Get([]byte("node00023.example.net")))
		t.Logf("%d bytes without the dictionary, %d with it", first, last)
		if last*3 > first {
			t.Errorf("%d bytes without the dictionary, %d with it; want a third at most", first, last)
		}
		return tx.Bucket([]byte("dictionaries")).Put([]byte{1}, []byte("damaged"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "damaged: dictionary 01") {
		t.Errorf("opened with a damaged dictionary: %v", err)
	}
}
