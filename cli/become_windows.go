package cli

import (
	"errors"
	"os"
	"os/exec"
)

// become runs argv to its end, and leaves with its status: Windows can not
// replace a process.
func become(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if child, ok := errors.AsType[*exec.ExitError](err); ok {
		return &fault{kind: faultStatus, status: child.ExitCode()}
	}
	return err
}
