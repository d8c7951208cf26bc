package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// contentSum is a fingerprint of a set of terms: the sum of theirs, so that it
// follows from the old one when a few of many change. It is the same in every
// process. Whoever makes the terms can make two sets of one sum, at some cost:
// what that hides is a change of a node that its own sender says nothing of.
type contentSum [2]uint64

// add takes a term into the set; nil is none.
func (s *contentSum) add(term []byte) { s.move(term, bits.Add64) }

// remove takes a term out that is in the set; nil is none.
func (s *contentSum) remove(term []byte) { s.move(term, bits.Sub64) }

func (s *contentSum) move(term []byte, by func(x, y, carry uint64) (sum, over uint64)) {
	if term == nil {
		return
	}
	printed := sha256.Sum256(term)
	var over uint64
	s[0], over = by(s[0], binary.LittleEndian.Uint64(printed[:]), 0)
	s[1], _ = by(s[1], binary.LittleEndian.Uint64(printed[8:]), over)
}

// String is how sections keep it. Fingerprints of another kind, which stores may
// still hold, have no plus sign.
func (s *contentSum) String() string { return fmt.Sprintf("+%016x%016x", s[1], s[0]) }

// parseSum reads what String wrote.
func parseSum(text string) (s contentSum, ok bool) {
	digits, ok := strings.CutPrefix(text, "+")
	if !ok || len(digits) != 32 {
		return s, false
	}
	high, err := strconv.ParseUint(digits[:16], 16, 64)
	low, err2 := strconv.ParseUint(digits[16:], 16, 64)
	return contentSum{low, high}, errors.Join(err, err2) == nil
}
