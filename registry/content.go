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
func (s *contentSum) add(term []byte) {
	if term == nil {
		return
	}
	low, high := printed(term)
	var carry uint64
	s[0], carry = bits.Add64(s[0], low, 0)
	s[1], _ = bits.Add64(s[1], high, carry)
}

// remove takes a term out that is in the set; nil is none.
func (s *contentSum) remove(term []byte) {
	if term == nil {
		return
	}
	low, high := printed(term)
	var borrow uint64
	s[0], borrow = bits.Sub64(s[0], low, 0)
	s[1], _ = bits.Sub64(s[1], high, borrow)
}

func printed(term []byte) (low, high uint64) {
	sum := sha256.Sum256(term)
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
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
