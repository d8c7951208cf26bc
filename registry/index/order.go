package index

import (
	"cmp"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// orderOf says among which values v has an order: numbers, texts or dates.
func orderOf(v any) (int, bool) {
	switch v.(type) {
	case int64, float64, json.Number:
		return 0, true
	case string:
		return 1, true
	case time.Time:
		return 2, true
	}
	return 0, false
}

// compareValues orders two values that have an order among each other.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	}
	return exact(a).Cmp(exact(b))
}

func exact(v any) *big.Rat {
	r := new(big.Rat)
	switch v := v.(type) {
	case int64:
		r.SetInt64(v)
	case float64:
		r.SetFloat64(v)
	case json.Number:
		r.SetString(string(v))
	}
	return r
}
