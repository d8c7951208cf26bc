//go:build peers

package facts_test

import (
	"encoding/json"
	"testing"

	"muster/agent/facts"
)

// The real Facter of this machine and our own collector say the same of what
// does not change between two looks.
func TestOwnFactsAgreeWithFacter(t *testing.T) {
	theirs, warnings := facts.Source{}.Collect(t.Context())
	if len(warnings) != 0 || theirs["facterversion"] == nil {
		t.Fatalf("no facts of Facter's: %q", warnings)
	}
	ours := facts.Own(t.Context())
	for _, path := range [][]string{
		{"kernel"}, {"kernelrelease"}, {"kernelversion"}, {"kernelmajversion"}, {"timezone"}, {"identity"}, {"filesystems"}, {"fips_enabled"},
		{"os", "name"}, {"os", "family"}, {"os", "release"}, {"os", "distro"}, {"os", "architecture"}, {"os", "hardware"}, {"os", "selinux"},
		{"networking", "hostname"}, {"networking", "fqdn"}, {"networking", "primary"}, {"networking", "ip"}, {"networking", "mac"}, {"networking", "mtu"},
		{"networking", "netmask"}, {"networking", "network"},
		{"memory", "system", "total"}, {"memory", "system", "total_bytes"}, {"processors", "count"}, {"processors", "models"}, {"disks"},
	} {
		if a, b := at(t, theirs, path), at(t, ours, path); a != b {
			t.Errorf("%v: Facter has %s, we have %s", path, a, b)
		}
	}
}

// at is the value at a path, as JSON.
func at(t *testing.T, all map[string]any, path []string) string {
	t.Helper()
	var v any = all
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return "nothing"
		}
		v = m[name]
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
