package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"
)

// backup sends all that the registry holds, as of one moment. An answer that
// breaks off is no backup: the client sees that.
func (s *Server) backup(c echo.Context) error {
	if _, err := oneOf(c); err != nil {
		return err
	}
	if err := s.Registry.Ready(c.Request().Context()); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="muster-`+s.Now().UTC().Format("20060102T150405Z")+`.backup"`)
	err := s.sendLines(c, func() error { return s.Life.Backup(c.Request().Context(), c.Response()) })
	if err != nil {
		c.Response().Header().Del(echo.HeaderContentDisposition)
	}
	return err
}

// restore brings back what a backup holds and the registry does not.
func (s *Server) restore(c echo.Context) (err error) {
	if _, err := oneOf(c); err != nil {
		return err
	}
	if err := withoutDeadlines(http.NewResponseController(c.Response())); err != nil {
		return err
	}
	file, err := os.CreateTemp("", "muster-restore-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if _, err := io.Copy(file, c.Request().Body); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	done, err := s.Life.Restore(c.Request().Context(), file)
	if err != nil {
		return fail(http.StatusBadRequest, "%v", err)
	}
	note(c, "", done.Changed)
	return writeJSON(c, http.StatusOK, done)
}

// withoutDeadlines lets a request take as long as its bytes keep coming.
func withoutDeadlines(control *http.ResponseController) error {
	err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
