package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "backup FILE",
		Short:   "all nodes and their history of a running registry, as of one moment; - is stdout",
		Example: "  muster backup /var/backups/muster.backup",
		Args:    exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.newClient()
			if err != nil {
				return err
			}
			return c.each(cmd.Context(), func(server string) error {
				response, err := c.open(cmd.Context(), server, http.MethodGet, "/v1/backup", nil, nil)
				if err != nil {
					return err
				}
				defer response.Body.Close()
				if args[0] == "-" {
					_, err = io.Copy(a.out, response.Body)
				} else {
					err = saveWhole(args[0], response.Body)
				}
				if err != nil {
					return fmt.Errorf("writing the backup: %w", err)
				}
				return nil
			})
		},
	}
}

// saveWhole writes a file that is there as a whole or not at all, for its owner
// only.
func saveWhole(path string, from io.Reader) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "bring back what a backup holds and a running registry does not; - is stdin",
		Long: `Nodes that are not there, or of which the backup knows something newer, and events from before the registry's own. What the registry
has heard since stays. A backup that is not whole changes nothing.`,
		Example: "  muster restore /var/backups/muster.backup",
		Args:    exactly(1, "one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.newClient()
			if err != nil {
				return err
			}
			return c.each(cmd.Context(), func(server string) error {
				from := a.env.Stdin
				if args[0] != "-" {
					file, err := os.Open(args[0])
					if err != nil {
						return &fault{kind: faultUsage, err: fmt.Errorf("reading the backup: %w", err)}
					}
					defer file.Close()
					from = file
				}
				response, err := c.open(cmd.Context(), server, http.MethodPost, "/v1/restore", http.Header{"Content-Type": {"application/gzip"}}, from)
				if err != nil {
					return err
				}
				defer response.Body.Close()
				var done struct{ Nodes, Changed, Events int }
				if err := json.NewDecoder(response.Body).Decode(&done); err != nil {
					return fmt.Errorf("%s answers what is not a registry's answer", server)
				}
				fmt.Fprintf(a.out, "%d nodes in the backup, %d brought back, %d events\n", done.Nodes, done.Changed, done.Events)
				return nil
			})
		},
	}
}
