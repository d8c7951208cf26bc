package index_test

import (
	"fmt"
	"maps"
	"testing"

	"muster/query"
)

// Lists are told apart by their keys, whichever keys came and went before.
func TestKeysInListsComeAndGo(t *testing.T) {
	d := rolled(7)
	w := newWorld()
	for round := range 240 {
		key := func() string { return fmt.Sprint("k", round/4+d.IntN(9)) }
		for range 12 {
			list := []any{map[string]any{key(): int64(1), key(): []any{map[string]any{key(): "x"}}}, "text"}
			w.put(&query.Document{Identity: fmt.Sprint("n", d.IntN(40)), Facts: map[string]any{"v": list[:1+d.IntN(2)]}})
		}
		w.delete(fmt.Sprint("n", d.IntN(40)))
		k := key()
		for _, text := range []string{"any v {%s = 1}", "not any v {exists %s}", "v.*.%s=1", "any v {any %[1]s {%[1]s = x}}"} {
			w.check(t, parse(t, "nq:"+fmt.Sprintf(text, k)).Filter)
		}
	}
	for id := range maps.Clone(w.docs) {
		w.delete(id)
	}
	if names := w.ix.Names("fact"); len(names) > 0 {
		t.Errorf("without nodes there are still %v", names)
	}
}

// A map too big to be kept takes the paths of the list that it replaces away.
func TestPathsInsideOfAReplacedList(t *testing.T) {
	w := newWorld()
	many := map[string]any{}
	for i := range 20_000 {
		many[fmt.Sprint("fact", i)] = int64(i)
	}
	for _, v := range []any{[]any{map[string]any{"a": int64(1)}}, many} {
		w.put(&query.Document{Identity: "n", Facts: map[string]any{"v": v}})
	}
	if names := w.ix.Names("fact"); names["v.a"] > 0 {
		t.Errorf("the list is gone, and its paths are still there: %v", names)
	}
}
