package api_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"muster/api"
)

// The sample dashboard shows every metric of ours, and none that is not there.
func TestTheDashboardShowsTheMetrics(t *testing.T) {
	dashboard, err := os.ReadFile("../docs/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, t.TempDir(), func(c *api.Config) { c.Insecure = []string{"redact_off"} })
	defer w.close(t)
	admin := w.grant(t, api.Admin, api.Grant{})
	w.do("POST", "/v1/registrations", `{"identity":"a b"}`, admin)
	served := w.do("GET", "/metrics", "", admin).Body.String()
	shown := map[string]bool{}
	for _, name := range regexp.MustCompile(`muster_[a-z_]+`).FindAllString(string(dashboard), -1) {
		name = strings.TrimSuffix(name, "_bucket")
		shown[name] = true
		if !strings.Contains(served, "# TYPE "+name+" ") {
			t.Errorf("the dashboard shows %s, which there is not", name)
		}
	}
	for _, m := range regexp.MustCompile(`# TYPE (muster_\w+) `).FindAllStringSubmatch(served, -1) {
		if !shown[m[1]] {
			t.Errorf("the dashboard does not show %s", m[1])
		}
	}
}
