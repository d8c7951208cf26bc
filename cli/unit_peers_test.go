//go:build peers

package cli_test

import (
	"os/exec"
	"testing"
)

// The units expose no more than 2.0 of systemd's 10.
func TestThreatT19UnitsAreHardened(t *testing.T) {
	for _, unit := range []string{"systemd/muster.service", "systemd/muster-agent.service"} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}
