package registry_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"muster/registry"
)

func TestParseIdentity(t *testing.T) {
	for _, good := range []string{"a", "db1.acme.net", "DB1", "1", "a_b:c-d", "...", "a..b", strings.Repeat("x", 255)} {
		if id, err := registry.ParseIdentity(good); err != nil || string(id) != good {
			t.Errorf("ParseIdentity(%q) = %q, %v; want it as it is", good, id, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "-", "-oProxyCommand=reboot", "a b", "a\nb", "a\x00", "a/b", "../a", "a@b", "user@host",
		"größe", "a\xff", "a;b", "$(x)", "a,b", "a\u200b", strings.Repeat("x", 256), strings.Repeat("x", 300),
	} {
		id, err := registry.ParseIdentity(bad)
		if err == nil {
			t.Errorf("ParseIdentity(%q) = %q, want an error", bad, id)
			continue
		}
		if text := err.Error(); len(text) > 200 || strings.ContainsAny(text, "\n\x00") || !utf8.ValidString(text) {
			t.Errorf("the error for %q is not fit to be shown: %q", bad, text)
		}
	}
}

func TestIdentityKeyFoldsCase(t *testing.T) {
	if got := registry.Identity("DB1.Acme.NET").Key(); got != "db1.acme.net" {
		t.Errorf("Key = %q, want it in lower case", got)
	}
}
