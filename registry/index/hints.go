package index

// hints are guesses where in a small column's dictionary a value is, which
// mostly spare to look for it among all values of the shard. A wrong one costs
// a comparison.
type hints struct {
	at   [64]uint8 // by hint
	last uint8     // which guess was right last
}

// hint is the place of a value's guess.
func hint(k kind, b []byte) uint8 {
	h := uint32(len(b)) + uint32(k)<<3
	if n := len(b); n > 0 {
		h = h*31 + uint32(b[0])
		h = h*31 + uint32(b[n/2])
		h = h*31 + uint32(b[n-1])
	}
	return uint8(h % 64)
}

// note remembers where a value is.
func (h *hints) note(p *pool, c code, at int) {
	h.at[hint(c.kind(), p.bytes(c))], h.last = uint8(at), uint8(at)
}

// hinted returns the code of a value if the guess is right that the column
// has it.
func (c *column) hinted(p *pool, k kind, b []byte) (code, bool) {
	if c.hints == nil {
		return absent, false
	}
	at := c.hints.at[hint(k, b)]
	if int(at) >= len(c.dict) || c.uses[at] == 0 {
		return absent, false
	}
	known := c.dict[at]
	if known.kind() != k || string(p.bytes(known)) != string(b) {
		return absent, false
	}
	c.hints.last = at
	return known, true
}
