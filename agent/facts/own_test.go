package facts_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"muster/agent/facts"
)

// byName are the facts whose keys are names given on the machine.
var byName = []string{"networking.interfaces", "disks", "mountpoints", "partitions", "ssh"}

// shape lists each path of a fact with the kind of its value.
func shape(into map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		into[path] = "object"
		for k, e := range v {
			if slices.Contains(byName, path) {
				k = "*"
			}
			shape(into, strings.TrimPrefix(path+"."+k, "."), e)
		}
	case []any:
		into[path] = "array"
		for _, e := range v {
			shape(into, path+"[]", e)
		}
	case string:
		into[path] = "text"
	case bool:
		into[path] = "bool"
	case json.Number:
		into[path] = "number"
	default:
		into[path] = "something that JSON has not"
	}
}

// recorded reads the shapes that Facter was seen to have.
func recorded(t *testing.T, names ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			path, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
			all[path] = kind
		}
	}
	return all
}

// Whoever wrote a query for Facter's facts finds the same ones in ours: we have
// no path that Facter has not, and none of another kind.
func TestOwnFactsHaveFactersShape(t *testing.T) {
	want := recorded(t, "facter-4.3.0.keys", "facter-4-other.keys")
	got := map[string]string{}
	shape(got, "", facts.Own(t.Context()))
	delete(got, "")
	for path, kind := range got {
		if want[path] != kind {
			t.Errorf("%s is %s, Facter has %q", path, kind, want[path])
		}
	}
	for _, path := range []string{
		"kernel", "kernelrelease", "os.family", "os.name", "os.release.major", "networking.hostname", "networking.fqdn",
		"networking.interfaces.*.mtu", "memory.system.total_bytes", "memory.system.capacity", "processors.count", "timezone", "identity.user", "path",
		"system_uptime.seconds", "is_virtual",
	} {
		if got[path] == "" {
			t.Errorf("%s is missing", path)
		}
	}
}
