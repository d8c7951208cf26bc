package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"
)

// guard keeps browsers from being used against the server: a page of another
// site may not write, and where no credentials are asked for, may not even
// reach it under a name of its own that resolves to loopback.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	origin := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		head := c.Response().Header()
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Cache-Control", "no-store")
		if s.Open && !loopbackHost(c.Request().Host) {
			return fail(http.StatusForbidden, "this server is open to its own host only, and was asked for as %q", cut(c.Request().Host, 60)).
				hint("use http://127.0.0.1 or http://localhost")
		}
		if err := origin.Check(c.Request()); err != nil {
			return fail(http.StatusForbidden, "a web page of another site may not do this")
		}
		return next(c)
	}
}

// loopbackHost reports whether a Host header names this host by a name that
// nobody else can give it.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// recoverPanic turns a fault of ours into an answer, and keeps the server up.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			s.log.Error("a request hit a fault", "route", c.Path(), "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			err = fail(http.StatusInternalServerError, "the server hit a fault of its own; its log has the details")
		}()
		return next(c)
	}
}
