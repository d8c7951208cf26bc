package near_test

import (
	"testing"

	"muster/internal/near"
)

func TestWord(t *testing.T) {
	list := []string{"json", "ndjson", "yaml", "text"}
	for _, c := range []struct {
		word, want string
		steps      int
	}{
		{"json", "json", 0}, {"jsno", "json", 2}, {"yml", "yaml", 1}, {"ndjsn", "ndjson", 1}, {"", "json", 4}, {"tEXt", "text", 2},
	} {
		if word, steps := near.Word(c.word, list); word != c.want || steps != c.steps {
			t.Errorf("near %q is %q in %d steps, want %q in %d", c.word, word, steps, c.want, c.steps)
		}
	}
	if word, steps := near.Word("abc", nil); word != "" || steps != 3 {
		t.Errorf("of nothing the nearest is %q in %d", word, steps)
	}
}
