package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a file, as the database library writes it: numbers are in the
// machine's order of bytes.
const (
	pageHeader  = 16 // id uint64, kind uint16, elements uint16, overflow uint32
	elementSize = 16
	branchKind  = 0x01
	leafKind    = 0x02
	bucketFlag  = 0x01 // of an element of a leaf: its value is a bucket
	bucketSize  = 16   // of a bucket's value: root uint64, sequence uint64; an inline page follows if root is 0
	maxLevels   = 64   // of pages above each other; more than any file has
)

var native = binary.NativeEndian

// walker looks at every page that a file uses. The library looks at them too
// when it opens a file, but in a goroutine where damage ends the process.
type walker struct {
	file io.ReaderAt
	page int64           // bytes of a page
	high uint64          // pages are below this number
	used map[uint64]bool // pages seen so far
}

// head is what the first two pages say, of which one is older.
type head struct {
	root, high, transaction uint64
}

// readHead reads one of the two first pages.
//
// A damaged one is no matter to the library, which takes the other one: the
// state before the last commit. Acknowledged registrations would be gone in
// silence, so it is damage here. A crash does not cause it, because what counts
// of a head lies in one sector of the disk.
func (w *walker) readHead(number int64) (head, error) {
	const body = 56 // bytes after the page's header, from which the checksum after them is made
	var b [pageHeader + body + 8]byte
	if _, err := w.file.ReadAt(b[:], number*w.page); err != nil {
		return head{}, fmt.Errorf("page %d is missing", number)
	}
	sum := fnv.New64a()
	_, _ = sum.Write(b[pageHeader : pageHeader+body]) // a hash does not fail
	if native.Uint64(b[pageHeader+body:]) != sum.Sum64() {
		return head{}, fmt.Errorf("the checksum of page %d does not fit", number)
	}
	return head{root: native.Uint64(b[32:]), high: native.Uint64(b[56:]), transaction: native.Uint64(b[64:])}, nil
}

// walk looks at the pages of the last commit, in a file of so many bytes.
func (w *walker) walk(size int64) error {
	first, err := w.readHead(0)
	if err != nil {
		return err
	}
	last, err := w.readHead(1)
	if err != nil {
		return err
	}
	if first.transaction > last.transaction {
		last = first
	}
	if last.high > uint64(size/w.page) {
		return fmt.Errorf("pages are missing at its end: there are %d of %d", size/w.page, last.high)
	}
	w.high, w.used = last.high, map[uint64]bool{}
	_, err = w.tree(last.root, nil, nil, 0)
	return err
}

// tree looks at a page and those below it. Keys must rise, from least and
// below most, where those are given. It returns the largest key.
func (w *walker) tree(id uint64, least, most []byte, level int) ([]byte, error) {
	if level > maxLevels {
		return nil, fmt.Errorf("page %d lies too deep", id)
	}
	p, err := w.read(id)
	if err != nil {
		return nil, err
	}
	switch kind := native.Uint16(p[8:]); kind {
	case leafKind:
		return w.leaf(p, least, most, level)
	case branchKind:
		return w.branch(p, least, most, level)
	default:
		return nil, fmt.Errorf("page %d is of no known kind: %x", id, kind)
	}
}

// read returns a page with what overflows it.
func (w *walker) read(id uint64) ([]byte, error) {
	p := make([]byte, w.page)
	if id < 2 || id >= w.high {
		return nil, fmt.Errorf("there is no page %d", id)
	}
	if _, err := w.file.ReadAt(p, int64(id)*w.page); err != nil {
		return nil, fmt.Errorf("page %d can not be read: %w", id, err)
	}
	more := uint64(native.Uint32(p[12:]))
	if native.Uint64(p) != id || id+more >= w.high {
		return nil, fmt.Errorf("page %d is not what it should be", id)
	}
	for i := id; i <= id+more; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	if more == 0 {
		return p, nil
	}
	p = append(p, make([]byte, int64(more)*w.page)...)
	if _, err := w.file.ReadAt(p[w.page:], int64(id+1)*w.page); err != nil {
		return nil, fmt.Errorf("page %d can not be read: %w", id, err)
	}
	return p, nil
}

func (w *walker) branch(p, least, most []byte, level int) ([]byte, error) {
	id, count := native.Uint64(p), int(native.Uint16(p[10:]))
	if count == 0 {
		return nil, fmt.Errorf("page %d is empty", id)
	}
	keys, err := keysOf(p, count, func(e []byte) (at, key, value uint32) {
		return native.Uint32(e), native.Uint32(e[4:]), 0
	})
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if !inOrder(i, key, least, most) {
			return nil, fmt.Errorf("the keys of page %d are not in order", id)
		}
		below := most
		if i+1 < count {
			below = keys[i+1]
		}
		child := native.Uint64(p[pageHeader+i*elementSize+8:])
		if least, err = w.tree(child, key, below, level+1); err != nil {
			return nil, err
		}
	}
	return least, nil
}

func (w *walker) leaf(p, least, most []byte, level int) ([]byte, error) {
	id, count := native.Uint64(p), int(native.Uint16(p[10:]))
	keys, err := keysOf(p, count, func(e []byte) (at, key, value uint32) {
		return native.Uint32(e[4:]), native.Uint32(e[8:]), native.Uint32(e[12:])
	})
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if !inOrder(i, key, least, most) {
			return nil, fmt.Errorf("the keys of page %d are not in order", id)
		}
		least = key
		element := p[pageHeader+i*elementSize:]
		if native.Uint32(element)&bucketFlag != 0 {
			value := element[native.Uint32(element[4:])+native.Uint32(element[8:]):]
			if err := w.bucket(value[:native.Uint32(element[12:])], level+1); err != nil {
				return nil, err
			}
		}
	}
	return least, nil
}

// bucket looks at the pages of a bucket, by the value that stands for it.
func (w *walker) bucket(value []byte, level int) error {
	if len(value) < bucketSize {
		return fmt.Errorf("a bucket has %d bytes", len(value))
	}
	root := native.Uint64(value)
	if root != 0 {
		_, err := w.tree(root, nil, nil, level)
		return err
	}
	inline := value[bucketSize:]
	if len(inline) < pageHeader || native.Uint16(inline[8:]) != leafKind || level > maxLevels {
		return fmt.Errorf("a small bucket is not what it should be")
	}
	_, err := w.leaf(inline, nil, nil, level)
	return err
}

// keysOf returns the keys of a page's elements. Layout tells where an element
// says its key is, counted from the element, and how long key and value are.
func keysOf(p []byte, count int, layout func(element []byte) (at, key, value uint32)) ([][]byte, error) {
	if pageHeader+count*elementSize > len(p) {
		return nil, fmt.Errorf("page %d has too many elements", native.Uint64(p))
	}
	keys := make([][]byte, count)
	for i := range keys {
		start := uint64(pageHeader + i*elementSize)
		at, key, value := layout(p[start:])
		begin := start + uint64(at)
		end := begin + uint64(key)
		if end+uint64(value) > uint64(len(p)) {
			return nil, fmt.Errorf("an element of page %d lies outside of it", native.Uint64(p))
		}
		keys[i] = p[begin:end]
	}
	return keys, nil
}

// inOrder reports whether the key of an element may follow least, which the
// first may be equal to, and is below most; nil bounds are none.
func inOrder(i int, key, least, most []byte) bool {
	if least != nil {
		if c := bytes.Compare(least, key); c > 0 || c == 0 && i > 0 {
			return false
		}
	}
	return most == nil || bytes.Compare(key, most) < 0
}
