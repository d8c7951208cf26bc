package index_test

import (
	"fmt"
	"testing"

	"muster/query"
)

// Who asks again is told of all that changed meanwhile: values, their types, nodes
// that went and others that took their places, columns that grew.
func TestWhatWasAskedBeforeIsStillTrue(t *testing.T) {
	for seed := range uint64(20) {
		d := rolled(seed)
		w := newWorld()
		value := func(many int) any {
			if d.IntN(40) == 0 {
				return one[any](d, int64(4), nil, []any{"w1"}, map[string]any{"a": "w1"})
			}
			return fmt.Sprint("w", d.IntN(many))
		}
		for round := range 40 {
			many := 1 + round*40 // the column has few values first, and very many at last
			for range 40 {
				facts := map[string]any{"a": value(many)}
				if d.IntN(30) == 0 {
					facts["rare"] = value(3)
				}
				w.put(&query.Document{Identity: fmt.Sprint("n", d.IntN(400)), Facts: facts})
			}
			for range 5 {
				w.delete(fmt.Sprint("n", d.IntN(400)))
			}
			for range 12 {
				path, word := one(d, "a", "a", "rare"), fmt.Sprint("w", d.IntN(one(d, 4, 200)))
				form := one(d, "%[1]s = %[2]s", "not %[1]s = %[2]s", "%[1]s in (%[2]s, w1) and a != w2")
				w.check(t, parse(t, "nq:"+fmt.Sprintf(form, path, word)).Filter)
			}
		}
	}
}
