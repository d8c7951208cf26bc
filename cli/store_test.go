package cli

import (
	"strings"
	"testing"
)

// TestStoresAndEngines: what does not go together is said before anything is
// begun.
func TestStoresAndEngines(t *testing.T) {
	const mongo = "mongodb://127.0.0.1/x"
	neighbours := []string{"https://r2:8280"}
	for _, c := range []struct {
		conf siteConfig
		want string // in the error; empty: none
	}{
		{siteConfig{}, ""},
		{siteConfig{engine: "memory", neighbourURLs: neighbours}, ""},
		{siteConfig{engine: "store", store: mongo}, ""},
		{siteConfig{engine: "mem"}, "want memory or store"},
		{siteConfig{engine: "store"}, "--store"},
		{siteConfig{store: mongo, neighbourURLs: neighbours}, "follow each other"},
	} {
		err := (&site{siteConfig: c.conf}).checkStore()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("engine %q, store %q, neighbours %v: %v; want %q", c.conf.engine, c.conf.store, c.conf.neighbourURLs, err, c.want)
		}
	}
}
