package api

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/labstack/echo/v4"
)

// taggedRoutes are those whose answers carry an ETag: what many ask for again
// and again, and mostly get alike.
var taggedRoutes = map[string]bool{
	"/v1/search": true, "/v1/nodes/:identity": true, "/v1/hiera/:certname": true, "/v1/facts": true, "/v1/facts/:path": true, "/v1/classes": true,
}

func isTagged(c echo.Context) bool { return taggedRoutes[c.Path()] }

// packedTag marks the tag of an answer that is sent as gzip: other bytes, so
// another strong tag (RFC 9110, 8.8.3.3).
const packedTag = "-gzip"

// saidInHead are the parts of an answer that may stand in its head alone.
var saidInHead = []string{"Muster-Count", "Muster-Complete", "Muster-Cursor"}

// tagged gives an answer its tag, and reports whether the asker has it already.
// The tag is a hash of all that is said, so that it is the same after a restart
// and from another server with the same nodes.
func tagged(c echo.Context, contentType string, body []byte, zip bool) bool {
	head := c.Response().Header()
	hash := sha256.New()
	hash.Write([]byte(contentType + "\n"))
	for _, name := range saidInHead {
		hash.Write([]byte(head.Get(name) + "\n"))
	}
	hash.Write(body)
	tag := base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:18])
	sent := tag
	if zip {
		sent += packedTag
	}
	head.Set("ETag", `"`+sent+`"`)
	head.Set(echo.HeaderCacheControl, "private, no-cache") // to be kept, and asked about before each use
	head.Add(echo.HeaderVary, echo.HeaderAuthorization)
	known, had := hasTag(c.Request().Header.Values("If-None-Match"), tag)
	if had {
		head.Set("ETag", known)
	}
	return had
}

// hasTag looks for a tag in If-None-Match, packed or not, and returns it as it
// stands there.
func hasTag(values []string, tag string) (string, bool) {
	for _, value := range values {
		for known := range strings.SplitSeq(value, ",") {
			known = strings.TrimPrefix(strings.TrimSpace(known), "W/")
			if plain, ok := strings.CutPrefix(known, `"`); ok && strings.TrimSuffix(strings.TrimSuffix(plain, `"`), packedTag) == tag {
				return known, true
			}
			if known == "*" {
				return `"` + tag + `"`, true
			}
		}
	}
	return "", false
}
