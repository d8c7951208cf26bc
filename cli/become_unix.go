//go:build unix

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// become replaces this process by argv, so that signals, the terminal and the
// exit status are the other program's own.
func become(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("starting %s: it is not in PATH", argv[0])
	}
	return syscall.Exec(path, argv, os.Environ())
}
