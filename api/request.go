package api

import (
	"crypto/rand"
	"regexp"

	"github.com/labstack/echo/v4"
)

const serverKey = "server"

// saneID is what a request may be called by its sender: it goes into logs.
var saneID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)

// identify gives a request a name, its sender's if that can be used, by which
// answer, log and audit can be put together.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !saneID.MatchString(id) {
			id = rand.Text()
		}
		c.Set(serverKey, s)
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

// serverOf is the server that a request came to.
func serverOf(c echo.Context) *Server {
	s, _ := c.Get(serverKey).(*Server)
	return s
}
