package query

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// mongoEqual compares whole values: lists in order, documents whatever the
// order of their keys.
func mongoEqual(v any, want *Value) bool {
	switch want.Kind {
	case "text":
		text, ok := v.(string)
		return ok && text == want.Text
	case "number":
		order, ok := compareNumber(v, &want.number, false)
		return ok && order == 0
	case "null":
		return v == nil
	case "bool":
		b, ok := v.(bool)
		return ok && b == want.bool
	case "time":
		t, ok := v.(time.Time)
		return ok && t.Equal(want.Time)
	case "list":
		list, ok := v.([]any)
		if !ok || len(list) != len(want.List) {
			return false
		}
		for i := range list {
			if !mongoEqual(list[i], &want.List[i]) {
				return false
			}
		}
		return true
	case "object":
		m, ok := v.(map[string]any)
		if !ok || len(m) != len(want.Object) {
			return false
		}
		for key, field := range want.Object {
			if held, ok := m[key]; !ok || !mongoEqual(held, &field) {
				return false
			}
		}
		return true
	}
	return false
}

// mongoRank is where a type stands in BSON's order.
func mongoRank(v any) int {
	switch v.(type) {
	case nil:
		return 5
	case int64, float64, json.Number:
		return 10
	case string:
		return 15
	case map[string]any:
		return 20
	case []any:
		return 25
	case bool:
		return 40
	case time.Time:
		return 45
	}
	return 0
}

func (v *Value) mongoRank() int {
	switch v.Kind {
	case "null":
		return 5
	case "number":
		return 10
	case "text":
		return 15
	case "object":
		return 20
	case "list":
		return 25
	case "bool":
		return 40
	case "time":
		return 45
	}
	return -1
}

// mongoOrder orders a value as BSON does: by type, then within the type.
func mongoOrder(v any, want *Value) int {
	if order := mongoRank(v) - want.mongoRank(); order != 0 {
		return order
	}
	switch v := v.(type) {
	case int64, float64, json.Number:
		order, _ := compareNumber(v, &want.number, false)
		return order
	case string:
		return strings.Compare(v, want.Text)
	case bool:
		return boolRank(v) - boolRank(want.bool)
	case time.Time:
		return v.Compare(want.Time)
	case []any:
		for i := range min(len(v), len(want.List)) {
			if order := mongoOrder(v[i], &want.List[i]); order != 0 {
				return order
			}
		}
		return len(v) - len(want.List)
	case map[string]any:
		return mongoOrderMaps(v, want.Object)
	}
	return 0
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mongoOrderMaps orders documents field by field: type, name, value. Keys are
// taken in order, so that how they were written never matters.
func mongoOrderMaps(m map[string]any, want map[string]Value) int {
	left, right := sortedKeys(m), sortedKeys(want)
	for i := range min(len(left), len(right)) {
		held, field := m[left[i]], want[right[i]]
		if order := mongoRank(held) - field.mongoRank(); order != 0 {
			return order
		}
		if order := strings.Compare(left[i], right[i]); order != 0 {
			return order
		}
		if order := mongoOrder(held, &field); order != 0 {
			return order
		}
	}
	return len(left) - len(right)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// mongoIsType reports whether v is of a BSON type, by its name. Whole numbers
// are int or long by their size, as every driver stores them.
func mongoIsType(v any, name string) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "bool"
	case int64:
		return name == "number" || name == "int" && v == int64(int32(v)) || name == "long" && v != int64(int32(v))
	case float64:
		return name == "number" || name == "double"
	case json.Number:
		return name == "number" || name == "decimal"
	case string:
		return name == "string"
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case time.Time:
		return name == "date"
	}
	return false
}

// mongoMod divides whole parts; the sign is the dividend's. What no 64 bits
// hold has no remainder.
func mongoMod(v any, divisor, remainder float64) bool {
	switch v := v.(type) {
	case int64:
		return v%int64(divisor) == int64(remainder)
	case float64:
		return math.Abs(v) < 1<<63 && math.Mod(math.Trunc(v), divisor) == remainder
	}
	return false
}
