package facts

import (
	"encoding/json"
	"testing"
)

// Whatever a YAML file holds, it is facts that survive their way as JSON, or a
// refusal.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{
		"a: 010\nb: [1.5, yes, ~]\nc: {d: 1:30}\n", "x: &a {y: 1}\nz: {<<: *a}\n", "? [a]\n: b\n", "a: !!float 1\nb: .inf\n",
		"--- !ruby/object:X\nk: 0x_\n", "1_000: -0b1\n0_: 1e5\n", "a: 12345678901234567890123\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseYAML([]byte(text))
		if err != nil {
			return
		}
		sent, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q gives %v, which is not JSON: %v", text, got, err)
		}
		back, err := parseJSON(sent)
		if err != nil {
			t.Fatalf("%q gives %s, which does not read back: %v", text, sent, err)
		}
		again, err := json.Marshal(back)
		if err != nil || string(again) != string(sent) {
			t.Fatalf("%q gives %s, then %s (%v)", text, sent, again, err)
		}
		if len(back) != len(got) {
			t.Fatalf("%q: %d facts became %d", text, len(got), len(back))
		}
	})
}
