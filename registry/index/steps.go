package index

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/query"
)

// steps tells whether a comparison holds for a number by where it stands among
// the numbers it is compared with: below the first, at it, between it and the
// second, and so on. Which of these hold, Matches said beforehand.
type steps struct {
	at     []float64 // ascending
	ints   []bool    // 2*len(at)+1
	floats []bool
}

// maxSteps is how many numbers are worth it.
const maxSteps = 8

// numberSteps returns nil for comparisons that ask more of a number than that.
func numberSteps(c *query.Compare, now time.Time) *steps {
	if !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">=", "in", "not in", "between"}, c.Op) || c.View == "version" || c.Count {
		return nil
	}
	s := &steps{}
	members := []query.Value{c.Value}
	if c.Value.Kind == "list" {
		members = c.Value.List
	}
	for i := range members {
		switch m := &members[i]; m.Kind {
		case "text", "number":
			if isWord := plainWord(m.Text) || m.Text == ""; isWord && c.View != "text" {
				continue // no number is that, or has an order with it
			}
			f, ok := smallNumber(m.Text)
			if !ok {
				return nil
			}
			s.at = append(s.at, f)
		case "bool", "null", "network", "object", "age", "time":
			// No number is that either.
		default:
			return nil
		}
	}
	slices.Sort(s.at)
	s.at = slices.Compact(s.at)
	if len(s.at) > maxSteps {
		return nil
	}
	s.learn(c, now)
	return s
}

// smallNumber reads plain decimal text that float64 tells from any other.
func smallNumber(text string) (float64, bool) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > 16 || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	if whole := strings.ReplaceAll(digits, ".", ""); len(whole) > 15 {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f + 0, err == nil && digits[0] != '.' && digits[len(digits)-1] != '.'
}

// learn asks Matches about a number in each place.
func (s *steps) learn(c *query.Compare, now time.Time) {
	a := newAsker(now)
	t := &test{ask: *c}
	for i, at := range s.at {
		below := math.Nextafter(at, math.Inf(-1))
		if i > 0 && below <= s.at[i-1] {
			below = s.at[i-1] // never asked: nothing stands between
		}
		s.floats = append(s.floats, a.holds(t, below), a.holds(t, at))
		s.ints = append(s.ints, a.holds(t, int64(math.Ceil(at))-1), a.holds(t, int64(at)))
	}
	above := 0.0
	if n := len(s.at); n > 0 {
		above = s.at[n-1]
	}
	s.floats = append(s.floats, a.holds(t, math.Nextafter(above, math.Inf(1))))
	s.ints = append(s.ints, a.holds(t, int64(math.Floor(above))+1))
}

// place is where f stands: even numbers are between steps, odd ones on them.
func (s *steps) place(f float64) int {
	for i, at := range s.at {
		if f < at {
			return 2 * i
		}
		if f == at {
			return 2*i + 1
		}
	}
	return 2 * len(s.at)
}

// scan returns those of 64 slots whose number, which a small column holds
// itself, satisfies the comparison.
func (s *steps) scan(c *column, from int, mask uint64) (word uint64) {
	if len(s.at) != 1 {
		return s.scanMany(c, from, mask)
	}
	// Without branches, since which way they go can not be foretold: by what
	// stands in small, where the step is and what comes of being below, at and
	// above it.
	at := s.at[0]
	low := [3]int64{0, int64(math.Ceil(at)), sortable(math.Float64bits(at), math.MaxInt64)}
	high := [3]int64{0, int64(math.Floor(at)), low[smallFloat]}
	if at == 0 {
		low[smallFloat], high[smallFloat] = -1, 0 // -0 and 0 are equal
	}
	flip := [3]int64{0, 0, math.MaxInt64}
	var holds [3][4]uint8
	for i := range 3 {
		holds[smallInt][i], holds[smallFloat][i] = uint8(verdictOf(s.ints[i])), uint8(verdictOf(s.floats[i]))
	}
	small := c.small[from:min(from+64, len(c.small))]
	nums := c.nums[min(from, len(c.nums)):]
	nums = nums[:min(len(small), len(nums))]
	for i, bits := range nums {
		b := small[i]
		if b > smallFloat {
			continue
		}
		n := sortable(bits, flip[b])
		word |= uint64(holds[b][one(n >= low[b])+one(n > high[b])]) << i
	}
	return word & mask
}

// sortable turns a float's bits into a number of the same order, if flip is
// the largest number, and leaves an int64 as it is, if flip is zero.
func sortable(bits uint64, flip int64) int64 {
	n := int64(bits)
	return n ^ n>>63&flip
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *steps) scanMany(c *column, from int, mask uint64) (word uint64) {
	for i, b := range c.small[from:min(from+64, len(c.small))] {
		if b == smallInt || b == smallFloat {
			is, _ := s.tell(c.local(b, from+i))
			word |= uint64(is) << i
		}
	}
	return word & mask
}

// tell judges a cell of intHere or floatHere; ok is false if it has to be asked.
func (s *steps) tell(n cell) (v verdict, ok bool) {
	if n.code == intHere {
		return verdictOf(s.ints[s.place(float64(int64(n.bits)))]), true
	}
	f := math.Float64frombits(n.bits)
	return verdictOf(s.floats[s.place(f)]), f == f
}
