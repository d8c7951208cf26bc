//go:build !windows

package facts

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Executables say facts in any of three ways; what hangs or fails is a warning
// and does not hold up the others.
func TestFolderExecutables(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.sh": "echo exec_kv=1", "b": "printf 'exec_yaml:\\n  x: 1\\n'", "c.sh": `echo '{"exec_json": [1.50]}'`,
		"d.sh": "sleep 60", "e.sh": "echo bad=1; echo 'no luck' >&2; exit 3", "f.sh": "echo hello", "g.sh": ":",
	} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n"+text+"\n", 0o755)
	}
	write(t, filepath.Join(dir, "not.sh"), "#!/bin/sh\necho notexecutable=1\n", 0o644)
	start := time.Now()
	got, warnings := Source{Dir: dir, DirLimit: 300 * time.Millisecond}.folder(t.Context())
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if text := compact(t, got); text != `{"exec_json":[1.50],"exec_kv":"1","exec_yaml":{"x":1}}` {
		t.Errorf("got %s", text)
	}
	if len(warnings) != 3 || !strings.Contains(warnings[0], "d.sh: did not end") ||
		!strings.Contains(warnings[1], `exit status 3 (it says "no luck")`) || !strings.Contains(warnings[2], "f.sh: printed neither") {
		t.Errorf("warnings %q", warnings)
	}
}

// fake puts a program called facter first in the path.
func fake(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "facter"), "#!/bin/sh\n"+text+"\n", 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestFacterIsJudgedByWhatItPrints(t *testing.T) {
	fake(t, `echo "ERROR no luck" >&2; echo '{"from":"facter","args":"'"$*"'"}'; exit 1`)
	got, warnings := Source{FacterArgs: []string{"--show-legacy"}}.Collect(t.Context())
	if got["from"] != "facter" || got["args"] != "--json --show-legacy" || len(warnings) != 0 {
		t.Errorf("%v, %q", got, warnings)
	}
}

func TestABrokenFacterIsReplaced(t *testing.T) {
	for text, want := range map[string]string{
		`echo "cannot load such file" >&2; exit 1`: `exit status 1) did not print facts: is empty, not a JSON object (it says "cannot load such file")`,
		`sleep 60`: "did not end within its time limit",
	} {
		fake(t, text)
		got, warnings := Source{FacterLimit: 200 * time.Millisecond}.Collect(t.Context())
		if got["kernel"] == nil || len(warnings) != 1 || !strings.Contains(warnings[0], want) {
			t.Errorf("%s: kernel %v, warnings %q", text, got["kernel"], warnings)
		}
	}
}

func TestANamedFacterThatIsNotThereIsAWarning(t *testing.T) {
	got, warnings := Source{Facter: "/no/such/facter"}.Collect(context.Background())
	if got["kernel"] == nil || len(warnings) != 1 || !strings.Contains(warnings[0], "/no/such/facter is not there") {
		t.Errorf("kernel %v, warnings %q", got["kernel"], warnings)
	}
}

// Programs that hang do it side by side, and a later name still wins.
func TestHangingProgramsDoNotAddUp(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "sleep 60", "b": "sleep 60", "c": "sleep 60", "d": "sleep 0.3; echo who=d", "e": "echo who=e"} {
		write(t, filepath.Join(dir, name), "#!/bin/sh\n"+text+"\n", 0o755)
	}
	start := time.Now()
	got, warnings := Source{Dir: dir, DirLimit: 2 * time.Second}.folder(t.Context())
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("took %v, want about 2s", took)
	}
	if got["who"] != "e" || len(warnings) != 3 {
		t.Errorf("%v, %q", got, warnings)
	}
}

// Facter that hangs is given up in time for a registration.
func TestFacterHasALimit(t *testing.T) {
	if got := (Source{}).facterLimit(); got != 20*time.Second {
		t.Errorf("without one configured the limit is %v", got)
	}
	if got := (Source{FacterLimit: time.Minute}).facterLimit(); got != time.Minute {
		t.Errorf("a configured limit became %v", got)
	}
}
