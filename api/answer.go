package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// writeJSON answers with one JSON document.
func writeJSON(c echo.Context, status int, v any) error {
	body, err := jsonOf(v)
	if err != nil {
		return err
	}
	return write(c, status, echo.MIMEApplicationJSON, body)
}

// jsonOf makes an answer before its status is sent, and its length announced, so
// that a half answer can be told from a whole one.
func jsonOf(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fail(http.StatusInternalServerError, "the answer has no JSON: %v", err)
	}
	return out.Bytes(), nil
}

// write sends a whole answer: packed where the asker takes that and it pays,
// and not at all where the asker has it already.
func write(c echo.Context, status int, contentType string, body []byte) error {
	head := c.Response().Header()
	head.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	zip := len(body) >= worthPacking && takesGzip(c.Request().Header.Values(echo.HeaderAcceptEncoding))
	if status == http.StatusOK && c.Request().Method == http.MethodGet && isTagged(c) {
		if tagged(c, contentType, body, zip) {
			return c.NoContent(http.StatusNotModified)
		}
	}
	if zip {
		head.Set(echo.HeaderContentEncoding, "gzip")
		body = serverOf(c).packers.pack(body)
	}
	head.Set(echo.HeaderContentType, contentType) // a handler may have announced what it could not send
	head.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	return c.Blob(status, contentType, body)
}
