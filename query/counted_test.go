package query

import (
	"testing"
	"time"
)

// A count compared with an age has no order; it was a panic in hand-built trees.
func TestACountHasNoAge(t *testing.T) {
	c := &Compare{Path: Path{Field: "classes"}, Op: ">", Value: ageValue(time.Hour), Quant: "any", View: "native", Count: true}
	if Matches(c, &Document{Classes: []string{"a"}}, time.Now()) {
		t.Error("a count is above an age")
	}
}
