//go:build puppetserver && peers

package puppetfunc_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// release is a Puppet to test with: this system's, or the one of another Debian
// that lies in a folder.
type release struct{ name, root string }

var puppet7 = release{name: "7"}

func puppet8(t *testing.T) release {
	t.Helper()
	root := os.Getenv("MUSTER_PUPPET8")
	if root == "" {
		t.Fatal("MUSTER_PUPPET8 names no folder with Debian 13 and puppetserver in it; make peers makes one")
	}
	return release{"8", root}
}

// mounts gives the other Debian what a JVM and Facter read of the kernel, and our
// folder for temporary files under the same name. All vanish with the process.
const mounts = `mkdir -p "$0$1" && mount -t proc proc "$0/proc" && mount --bind /sys "$0/sys" && mount --bind "$1" "$0$1" && cd / && root=$0 && shift && exec chroot "$root" "$@"`

// command is a program of that release, which sees the tests' files as we do. Its
// process is the program's own: to kill the one is to kill the other.
func (r release) command(ctx context.Context, argv ...string) *exec.Cmd {
	if r.root != "" {
		argv = append([]string{"unshare", "--mount", "sh", "-c", mounts, r.root, os.TempDir()}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "http_proxy=http://127.0.0.1:1") // a proxy is never asked
	return cmd
}

func (r release) run(t *testing.T, argv ...string) (out string, status int) {
	t.Helper()
	cmd := r.command(t.Context(), argv...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// wants fails the test unless the release's programs are of that Puppet.
func (r release) wants(t *testing.T, version string) {
	t.Helper()
	if out, status := r.run(t, "puppet", "--version"); status != 0 || !strings.HasPrefix(out, version) {
		t.Fatalf("status %d, %s", status, out)
	}
}
