package pki_test

import (
	"errors"
	"strings"
	"testing"

	"muster/internal/pki"
)

func TestParseJoinLine(t *testing.T) {
	print, token := strings.Repeat("0a", 32), strings.Repeat("a2", 16)
	for name, test := range map[string]struct {
		line    string
		column  int // 0: it is right
		problem string
	}{
		"http":                {"http://127.0.0.1:8280+" + print + "+" + token, 0, ""},
		"localhost":           {"http://localhost:8280+" + print + "+" + token, 0, ""},
		"version 6":           {"http://[::1]:8280+" + print + "+" + token, 0, ""},
		"https":               {"https://registry.acme.net:8280+" + print + "+" + token, 0, ""},
		"space around":        {" \n https://r+" + print + "+" + token + "\n", 0, ""},
		"slash":               {"https://r/+" + print + "+" + token, 0, ""},
		"capitals":            {"https://r+" + strings.ToUpper(print) + "+" + token, 0, ""},
		"empty":               {"  ", 3, "empty"},
		"one part":            {"https://r", 10, "1 of its three parts"},
		"two parts":           {"https://r+" + print, 75, "2 of its three parts"},
		"four parts":          {"https://r+" + print + "+" + token + "+x", 108, "third +"},
		"no scheme":           {"registry:8280+" + print + "+" + token, 1, "does not begin with https://"},
		"no host":             {"https://+" + print + "+" + token, 1, "no host"},
		"path":                {"https://r/x+" + print + "+" + token, 1, "more than a host"},
		"user":                {"https://u:p@r+" + print + "+" + token, 1, "more than a host"},
		"clear text":          {"http://registry:8280+" + print + "+" + token, 1, "want https"},
		"almost loopback":     {"http://127.0.0.1.evil.net+" + print + "+" + token, 1, "want https"},
		"broken address":      {"https://r:x+" + print + "+" + token, 1, "can not be understood"},
		"short fingerprint":   {"https://r+" + print[1:] + "+" + token, 74, "63 digits"},
		"bad fingerprint":     {"https://r+0ag" + print[3:] + "+" + token, 13, "no hexadecimal digit"},
		"short token":         {"https://r+" + print + "+" + token[1:], 107, "31 characters"},
		"bad token":           {"  https://r+" + print + "+A" + token[1:], 78, "none of a to z"},
		"columns, not bytes":  {"https://ä+" + print + "+A" + token[1:], 76, "none of a to z"},
		"token over two rows": {"https://r+" + print + "+" + token[:9] + "\n" + token[9:], 85, "none of a to z"},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := pki.ParseJoinLine(test.line)
			if test.column == 0 {
				if err != nil || line.Fingerprint != print || line.Token != token {
					t.Fatalf("got %+v, %v", line, err)
				}
				if again, err := pki.ParseJoinLine(line.String()); err != nil || again != line {
					t.Errorf("printed as %s, which is %+v, %v", line, again, err)
				}
				return
			}
			fault, ok := errors.AsType[*pki.JoinLineError](err)
			if !ok || fault.Column != test.column || !strings.Contains(fault.Problem, test.problem) {
				t.Fatalf("got %v; want column %d: …%s…", err, test.column, test.problem)
			}
			if strings.Contains(err.Error(), token[2:]) {
				t.Errorf("the error gives the token away: %v", err)
			}
		})
	}
}

func FuzzParseJoinLine(f *testing.F) {
	f.Add("https://r:8280+" + strings.Repeat("0a", 32) + "+" + strings.Repeat("a2", 16))
	f.Add("http://[::1]+++")
	f.Fuzz(func(t *testing.T, text string) {
		line, err := pki.ParseJoinLine(text)
		if err != nil {
			if fault, ok := errors.AsType[*pki.JoinLineError](err); !ok || fault.Column < 1 || fault.Column > len(text)+1 {
				t.Fatalf("%q: got %v", text, err)
			}
			return
		}
		if again, err := pki.ParseJoinLine(line.String()); err != nil || again != line {
			t.Fatalf("%q: printed as %s, which is %+v, %v", text, line, again, err)
		}
	})
}
