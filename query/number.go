package query

import (
	"encoding/json"
	"strconv"
)

// decimal is a number in decimal notation, compared exactly and without
// allocation: digits with the decimal point before the digit at whole.
type decimal struct {
	ok    bool
	neg   bool
	first string // significant digits before the point, then
	rest  string // those after it
	exp   int    // power of ten of the first significant digit; meaningless for zero

	small bool // the digits fit a float64 exactly, which is float
	float float64
}

// parseDecimal reads [-+]digits[.digits][e[-+]digits]; anything else is not ok.
func parseDecimal(s string) decimal {
	var d decimal
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		d.neg = s[i] == '-'
		i++
	}
	whole := digitsAt(s, i)
	if whole == i {
		return decimal{}
	}
	d.first = s[i:whole]
	end := whole
	if end+1 < len(s) && s[end] == '.' {
		if frac := digitsAt(s, end+1); frac > end+1 {
			d.rest = s[end+1 : frac]
			end = frac
		}
	}
	power := 0
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		p, err := strconv.Atoi(s[end+1:])
		if err != nil || p > 9999 || p < -9999 || s[end+1] == '+' && len(s) == end+2 {
			return decimal{}
		}
		power, end = p, len(s)
	}
	if end != len(s) {
		return decimal{}
	}
	d.ok = true
	digits := len(d.first) + len(d.rest)
	d.exp = len(d.first) - 1 + power
	for d.first != "" && d.first[0] == '0' {
		d.first = d.first[1:]
		d.exp--
	}
	if d.first == "" {
		for d.rest != "" && d.rest[0] == '0' {
			d.rest = d.rest[1:]
			d.exp--
		}
	}
	if d.first == "" && d.rest == "" {
		return decimal{ok: true, small: true}
	}
	if digits <= 15 && power > -300 && power < 290 {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			d.small, d.float = true, f
		}
	}
	return d
}

func digitsAt(s string, i int) int {
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

func (d *decimal) zero() bool { return d.first == "" && d.rest == "" }

func (d *decimal) digit(i int) byte {
	if i < len(d.first) {
		return d.first[i]
	}
	if i -= len(d.first); i < len(d.rest) {
		return d.rest[i]
	}
	return '0'
}

// compare orders two numbers: negative, zero or positive.
func (d *decimal) compare(o *decimal) int {
	switch {
	case d.zero() && o.zero():
		return 0
	case d.zero():
		return -signum(o.neg)
	case o.zero(), d.neg != o.neg:
		return signum(d.neg)
	}
	order := d.exp - o.exp
	for i := 0; order == 0 && i < max(len(d.first)+len(d.rest), len(o.first)+len(o.rest)); i++ {
		order = int(d.digit(i)) - int(o.digit(i))
	}
	return order * signum(d.neg)
}

// signum is what the order of magnitudes is multiplied with.
func signum(neg bool) int {
	if neg {
		return -1
	}
	return 1
}

// compareNumber orders v, a fact's value, against the number want; ok is false
// if v is not a number, nor decimal text where text says that counts.
func compareNumber(v any, want *decimal, text bool) (order int, ok bool) {
	var space [32]byte
	switch v := v.(type) {
	case int64:
		if want.small && v > -1<<53 && v < 1<<53 {
			return compareFloats(float64(v), want.float), true
		}
		d := parseDecimal(string(strconv.AppendInt(space[:0], v, 10)))
		return d.compare(want), true
	case float64:
		if want.small {
			return compareFloats(v, want.float), true
		}
		d := parseDecimal(string(strconv.AppendFloat(space[:0], v, 'g', -1, 64)))
		return d.compare(want), d.ok
	case json.Number:
		d := parseDecimal(string(v))
		return d.compare(want), d.ok
	case string:
		if !text || v == "" || v[0] > '9' {
			return 0, false
		}
		d := parseDecimal(v)
		return d.compare(want), d.ok
	}
	return 0, false
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
