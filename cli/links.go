package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

func (a *app) linksCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "links DIR",
		Short: "make the names that old scripts use (mc-ssh, check-mc-nrpe, …) in a folder",
		Args:  exactly(1, "one folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range slices.Sorted(maps.Keys(aliases)) {
				path := filepath.Join(args[0], name)
				if err := link(a.env.Executable, path); err != nil {
					return err
				}
				fmt.Fprintln(a.out, path)
			}
			return nil
		},
	}
}

// link makes path a symlink to target; one that is there already stays, and
// what is no link of ours is not overwritten.
func link(target, path string) error {
	err := os.Symlink(target, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if present, readErr := os.Readlink(path); readErr != nil || present != target {
		return fmt.Errorf("%s is there already and leads elsewhere; remove it first", path)
	}
	return nil
}
