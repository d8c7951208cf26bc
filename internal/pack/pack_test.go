package pack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"muster/internal/pack"
)

func open(t testing.TB, c pack.Config) *pack.Packer {
	t.Helper()
	c.Largest = 1 << 20
	p, err := pack.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record is one of many that are much alike.
func record(i int) []byte {
	var b []byte
	for f := range 100 {
		b = fmt.Appendf(b, `"fact%d":"value %d of all",`, f, f*f)
	}
	return fmt.Appendf(b, `"number":%d`, i)
}

func TestWhatIsPackedCanBeUnpacked(t *testing.T) {
	p := open(t, pack.Config{})
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "record")
		packed := p.Pack(t.Context(), rapid.StringMatching(`n?\d?`).Draw(t, "name"), b)
		for _, small := range [][]byte{packed, p.Quick(b)} {
			if got, err := p.Unpack(small); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%q came back as %q, %v", b, got, err)
			}
		}
	})
}

func TestADictionaryMakesRecordsSmall(t *testing.T) {
	kept := map[byte][]byte{}
	p := open(t, pack.Config{Keep: func(_ context.Context, number byte, dictionary []byte) error {
		kept[number] = dictionary
		return nil
	}})
	first := p.Pack(t.Context(), "n0", record(0))
	for i := range 20 {
		p.Pack(t.Context(), fmt.Sprint("n", i), record(i))
	}
	last := p.Pack(t.Context(), "n20", record(20))
	if len(last)*4 > len(first) {
		t.Errorf("%d bytes without a dictionary, %d with one", len(first), len(last))
	}
	again := open(t, pack.Config{Dictionaries: kept})
	for i, packed := range map[int][]byte{0: first, 20: last} {
		if got, err := again.Unpack(packed); err != nil || !bytes.Equal(got, record(i)) {
			t.Errorf("record %d, by a Packer with the kept dictionary: %v", i, err)
		}
	}
	if _, err := open(t, pack.Config{}).Unpack(last); err == nil {
		t.Error("it was unpacked without its dictionary")
	}
}

func TestOneThingIsNoDictionary(t *testing.T) {
	asked := 0
	p := open(t, pack.Config{Keep: func(context.Context, byte, []byte) error { asked++; return nil }})
	for range 30 {
		p.Pack(t.Context(), "n1", record(1))
		p.Pack(t.Context(), "", record(2))
	}
	if asked > 0 {
		t.Error("a dictionary was made of one record")
	}
}

func TestADictionaryThatIsNotKeptIsNotUsed(t *testing.T) {
	asked := 0
	p := open(t, pack.Config{Keep: func(context.Context, byte, []byte) error { asked++; return errors.New("the disk is full") }})
	var all [][]byte
	for i := range 12 {
		all = append(all, p.Pack(t.Context(), fmt.Sprint("n", i), record(i)))
	}
	if asked != 3 {
		t.Errorf("asked %d times to keep it, want with each of the last three", asked)
	}
	for i, packed := range all {
		if got, err := open(t, pack.Config{}).Unpack(packed); err != nil || !bytes.Equal(got, record(i)) {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

// TestQuickOutlivesTheDictionary: what was packed quickly before there was a
// dictionary can be unpacked after.
func TestQuickOutlivesTheDictionary(t *testing.T) {
	p := open(t, pack.Config{})
	before := p.Quick(record(0))
	for i := range 11 {
		p.Pack(t.Context(), fmt.Sprint("n", i), record(i))
	}
	after := p.Quick(record(0))
	if len(after)*4 > len(before) {
		t.Errorf("%d bytes without a dictionary, %d with one", len(before), len(after))
	}
	for _, packed := range [][]byte{before, after} {
		if got, err := p.Unpack(packed); err != nil || !bytes.Equal(got, record(0)) {
			t.Errorf("it came back as %q, %v", got, err)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	p := open(t, pack.Config{})
	packed := p.Pack(t.Context(), "", record(1))
	packed[len(packed)-1] ^= 1
	if _, err := p.Unpack(packed); !errors.Is(err, pack.ErrDamaged) {
		t.Errorf("a changed byte: %v", err)
	}
	for _, bad := range [][]byte{nil, {}, {7, 1, 2}} {
		if _, err := p.Unpack(bad); err == nil {
			t.Errorf("%v was unpacked", bad)
		}
	}
}

func TestPackerIsForMany(t *testing.T) {
	p := open(t, pack.Config{})
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 50 {
				r := record(i)
				if got, err := p.Unpack(p.Pack(t.Context(), fmt.Sprint(w, i), r)); err != nil || !bytes.Equal(got, r) {
					t.Errorf("record %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
}

func FuzzUnpack(f *testing.F) {
	p := open(f, pack.Config{})
	f.Add(p.Pack(f.Context(), "", record(1)))
	f.Fuzz(func(_ *testing.T, packed []byte) { _, _ = p.Unpack(packed) })
}
