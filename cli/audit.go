package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"muster/internal/audit"
)

// auditConfig says what is kept of who did what. The zero value keeps all of it,
// beside the data.
type auditConfig struct {
	Off         bool   `yaml:"off"`
	File        string `yaml:"file"`         // empty: audit.log in the data folder
	Required    bool   `yaml:"required"`     // what can not be kept is not done
	ChangesOnly bool   `yaml:"changes_only"` // searches are not kept
	Megabytes   int64  `yaml:"megabytes"`    // of one file; 0: 100
	Files       int    `yaml:"files"`        // full ones that are kept; 0: 10
}

func (c auditConfig) path(dir string) string {
	if c.File != "" {
		return c.File
	}
	return filepath.Join(dir, "audit.log")
}

// openAudit opens the audit log. Its last hash goes into the server's own log,
// so that lines that are cut off at the end are missed there.
func (s *site) openAudit() (err error) {
	if s.open || s.audit.Off {
		return nil
	}
	c := audit.Config{Path: s.audit.path(s.dir), MaxBytes: s.audit.Megabytes << 20, Keep: s.audit.Files, Now: s.now}
	if s.auditLog, err = audit.Open(c); err != nil {
		return err
	}
	if s.audit.Required {
		if err := s.auditLog.Ready(); err != nil {
			return err
		}
	}
	s.log.Info("the audit log goes on", "file", c.Path, "last", s.auditLog.Last())
	return nil
}

func (s *site) closeAudit() error {
	if s.auditLog == nil {
		return nil
	}
	s.log.Info("the audit log ends", "last", s.auditLog.Last())
	return s.auditLog.Close()
}

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "who did what on this host's server", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usageFault("do what with the audit log? muster audit --help lists it")
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "verify [FILE...]", Short: "whether the lines are as they were written, and all there",
		Long: `Every line names the hash of the one before it. What was changed, taken out or put in is found; lines that were cut off at the
end are not: compare the last hash with the one that the server wrote to its own log. Without files: those of this host's server.`,
		Example: "  muster audit verify\n  muster audit verify audit.log.000000004711 audit.log",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				var err error
				if files, err = a.auditFiles(); err != nil {
					return err
				}
			}
			return a.verifyAudit(files)
		},
	})
	return cmd
}

// auditFiles are the logs of this host's server, oldest first.
func (a *app) auditFiles() ([]string, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	path := c.Serve.Audit.path(a.dataDir(c, "serve"))
	full, err := filepath.Glob(path + ".*[0-9]")
	return append(full, path), err
}

func (a *app) verifyAudit(files []string) (err error) {
	var logs []io.Reader
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		logs = append(logs, file)
	}
	v, err := audit.Verify(logs...)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%d lines from number %d on, as they were written; the last hash is %s\n", v.Lines, v.First, v.Last)
	return nil
}
