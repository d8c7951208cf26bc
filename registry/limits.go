package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What a registration may hold. What goes beyond is left out, with a warning
// on the node; the rest of the registration is kept.
const (
	MaxDepth  = 64       // segments of a fact's path; a position in a list is one
	MaxPath   = 512      // bytes of a fact's path: its keys, joined by dots
	MaxPaths  = 20_000   // facts of one registration: keys and elements of lists, at all levels
	MaxString = 64 << 10 // bytes of a text
	MaxList   = 10_000   // classes, agents and collectives, each
	MaxName   = 512      // bytes of the name of a class, agent or collective
)

// maxWarnings is how many warnings one registration can cause.
const maxWarnings = 20

// tooMuch is a way in which a fact goes beyond the limits.
type tooMuch int

const (
	tooDeep tooMuch = iota
	tooLongPath
	tooManyPaths
	tooLongText
	notStorable
)

func (k tooMuch) String() string {
	return [...]string{
		fmt.Sprintf("deeper than %d levels", MaxDepth),
		fmt.Sprintf("with a path of more than %d bytes", MaxPath),
		fmt.Sprintf("beyond the limit of %d", MaxPaths),
		fmt.Sprintf("with more than %d bytes of text", MaxString),
		"not UTF-8, with a NUL, or no JSON value",
	}[k]
}

// trimmer takes out of facts what goes beyond the limits. An object loses the
// key; a list that holds something beyond the limits is left out whole, because
// its positions mean something.
type trimmer struct {
	left    int // paths that may still come
	count   [notStorable + 1]int
	example [notStorable + 1]string
}

// trimFacts returns facts within the limits, and warnings about what is not in
// them any more. It changes nothing: facts within the limits are returned as
// they are.
func trimFacts(facts map[string]any) (map[string]any, []string) {
	left := MaxPaths
	if fits(facts, 0, 0, &left) {
		return facts, nil
	}
	t := trimmer{left: MaxPaths}
	kept, _ := t.value(facts, nil, 0)
	return kept.(map[string]any), t.warnings() // an object stays one
}

// fits reports whether the value at a path of so many levels and bytes is
// within the limits, and counts its paths. It is the common case of a trimmer,
// and must agree with it.
func fits(v any, depth, path int, left *int) bool {
	switch v := v.(type) {
	case map[string]any:
		*left -= len(v)
		if *left < 0 || depth == MaxDepth && len(v) > 0 {
			return false
		}
		for k, e := range v {
			if path+len(k) > MaxPath || !storable(k) || !fits(e, depth+1, path+len(k)+1, left) {
				return false
			}
		}
		return true
	case []any:
		*left -= len(v)
		if *left < 0 || depth == MaxDepth && len(v) > 0 {
			return false
		}
		for _, e := range v {
			if !fits(e, depth+1, path, left) {
				return false
			}
		}
		return true
	}
	_, bad := scalarTooMuch(v)
	return !bad
}

func (t *trimmer) value(v any, path []string, depth int) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if e, ok := t.member(v[k], append(path, k), depth+1, !storable(k)); ok {
				kept[k] = e
			}
		}
		return kept, true
	case []any:
		kept := make([]any, len(v))
		for i, e := range v {
			var ok bool
			if kept[i], ok = t.member(e, path, depth+1, false); !ok {
				return nil, false
			}
		}
		return kept, true
	}
	if kind, bad := scalarTooMuch(v); bad {
		return nil, t.drop(kind, path)
	}
	return v, true
}

func (t *trimmer) member(v any, path []string, depth int, badKey bool) (any, bool) {
	length := len(path) - 1
	for _, k := range path {
		length += len(k)
	}
	switch {
	case badKey:
		return nil, t.drop(notStorable, path)
	case depth > MaxDepth:
		return nil, t.drop(tooDeep, path)
	case length > MaxPath:
		return nil, t.drop(tooLongPath, path)
	case t.left == 0:
		return nil, t.drop(tooManyPaths, path)
	}
	t.left--
	return t.value(v, path, depth)
}

// drop notes that a path was left out. It returns false, for its callers.
func (t *trimmer) drop(kind tooMuch, path []string) bool {
	if t.count[kind]++; t.count[kind] == 1 {
		t.example[kind] = quoted(strings.ToValidUTF8(strings.Join(path, "."), "�"))
	}
	return false
}

func (t *trimmer) warnings() []string {
	var list []string
	for kind, n := range t.count {
		if n > 0 {
			list = append(list, fmt.Sprintf("%d facts %v were left out, such as %s", n, tooMuch(kind), t.example[kind]))
		}
	}
	return list
}

// scalarTooMuch reports in which way a value that is no object and no list can
// not be kept.
func scalarTooMuch(v any) (tooMuch, bool) {
	switch v := v.(type) {
	case nil, bool, int64, time.Time:
		return 0, false
	case json.Number:
		return notStorable, !isNumber(string(v))
	case float64:
		return notStorable, math.IsNaN(v) || math.IsInf(v, 0)
	case string:
		if len(v) > MaxString {
			return tooLongText, true
		}
		return notStorable, !storable(v)
	}
	return notStorable, true
}

func storable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// trimList returns a list of names within the limits, sorted, without
// repetitions, and warnings about what is not in it any more.
func trimList(what string, list []string) ([]string, []string) {
	var warnings []string
	bad, example := 0, ""
	kept := slices.DeleteFunc(sorted(list), func(s string) bool {
		if len(s) <= MaxName && storable(s) {
			return false
		}
		bad, example = bad+1, strings.ToValidUTF8(s, "�")
		return true
	})
	if bad > 0 {
		warnings = append(warnings, fmt.Sprintf("%d %s longer than %d bytes or not UTF-8 were left out, such as %s", bad, what, MaxName, quoted(example)))
	}
	if n := len(kept) - MaxList; n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d %s beyond the limit of %d were left out", n, what, MaxList))
		kept = slices.Clip(kept[:MaxList])
	}
	if len(kept) == 0 {
		return nil, warnings
	}
	return kept, warnings
}
