package registry

import (
	"encoding/json"
	"hash/maphash"
	"math"
	"math/bits"
	"time"
)

// printer makes fingerprints of sections, by which most registrations are known
// to say nothing new at a fraction of what the hash costs. They mean nothing
// outside of this process, and a sender can not aim at one.
type printer struct {
	seed     maphash.Seed
	volatile volatility
}

// print fills in the fingerprints of a section.
func (p *printer) print(s *Section) {
	stable, moving := p.object(s.Facts, p.volatile)
	for _, list := range [][]string{s.Classes, s.Agents, s.Collectives} {
		stable = mix(stable, uint64(len(list)))
		for _, name := range list {
			stable = mix(stable, maphash.String(p.seed, name))
		}
	}
	s.stable, s.moving = max(1, mix(stable, uint64(s.Interval))), max(1, moving)
}

// object sums up the entries of an object, so that their order is no matter.
func (p *printer) object(m map[string]any, v volatility) (stable, moving uint64) {
	for k, e := range m {
		key := maphash.String(p.seed, k)
		if len(v) == 0 {
			stable += mix(key, p.value(e))
			continue
		}
		below, whole := v.under(k)
		inner, isObject := e.(map[string]any)
		switch {
		case whole:
			moving += mix(key, p.value(e))
		case isObject && len(below) > 0:
			s, mv := p.object(inner, below)
			stable += mix(key, s+1)
			moving += mix(key, mv)
		default:
			stable += mix(key, p.value(e))
		}
	}
	return stable, moving
}

func (p *printer) value(v any) uint64 {
	switch v := v.(type) {
	case bool:
		if v {
			return mix(1, 1)
		}
		return mix(1, 2)
	case int64:
		return mix(2, uint64(v))
	case float64:
		return mix(3, math.Float64bits(v))
	case string:
		return mix(4, maphash.String(p.seed, v))
	case json.Number:
		return mix(5, maphash.String(p.seed, string(v)))
	case time.Time:
		return mix(6, uint64(v.UnixMilli()))
	case []any:
		sum := uint64(len(v))
		for _, e := range v {
			sum = mix(sum, p.value(e))
		}
		return mix(7, sum)
	case map[string]any:
		sum, _ := p.object(v, nil)
		return mix(8, sum+1)
	}
	return mix(9, 9)
}

// mix joins two numbers; their order matters.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	return high ^ low + bits.RotateLeft64(b, 17)
}
