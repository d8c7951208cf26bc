package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"muster/api"
)

func post(t *testing.T, f *fake, body, kind string) answer {
	t.Helper()
	return send(t, serve(t, f), "POST", "/v1/registrations", body, http.Header{"Content-Type": {kind}})
}

func TestRegistrationsLineByLine(t *testing.T) {
	f := &fake{}
	body := `{"identity":"a.acme.net","facts":{"x":1}}

{"identity":"-oProxyCommand=touch","facts":{}}
["nrpe","rpcutil"]
{"identity":"b","identity":"c"}
{"identity":"d.acme.net","classes":["x"]}
not JSON at all
{"facts":{}}
`
	a := post(t, f, body, "application/x-ndjson")
	if a.status != http.StatusMultiStatus || a.body["accepted"] != float64(2) || a.body["refused"] != float64(5) {
		t.Fatalf("answered %d %s", a.status, a.text)
	}
	want := []string{"", "bad_identity", "agent_list", "duplicate_key", "", "malformed", "bad_identity"}
	for i, r := range a.body["results"].([]any) {
		r := r.(map[string]any)
		reason, _ := r["reason"].(string)
		if reason != want[i] || r["accepted"] != (want[i] == "") || r["line"] != float64(i+1) {
			t.Errorf("result %d is %v, want the reason %q", i+1, r, want[i])
		}
		if detail, _ := r["detail"].(string); (detail == "") != (want[i] == "") {
			t.Errorf("result %d has the detail %q", i+1, detail)
		}
	}
	if len(f.registered) != 2 || f.registered[1].Identity != "d.acme.net" || len(f.refusals) != 5 {
		t.Errorf("registered %d, refusals %+v", len(f.registered), f.refusals)
	}
}

func TestOneDocumentOfManyLines(t *testing.T) {
	f := &fake{}
	a := post(t, f, "{\n  \"identity\": \"a.acme.net\",\n  \"facts\": {}\n}\n", asJSON)
	if a.status != http.StatusOK || len(f.registered) != 1 || a.body["accepted"] != float64(1) {
		t.Errorf("answered %d %s", a.status, a.text)
	}
	if r := a.body["results"].([]any)[0].(map[string]any); r["changed"] != true || r["next"] != float64(300) {
		t.Errorf("the receipt is %v", r)
	}
}

// 200 means that everything is stored, so nothing else may be answered with it.
func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	for _, test := range []struct {
		name, body, code string
		f                *fake
		status           int
	}{
		{"refused", `{"identity":"a b"}`, "bad_identity", &fake{}, 400},
		{"empty", "\n\n", "not_understood", &fake{}, 400},
		{"full disk", `{"identity":"a"}`, "unavailable", &fake{err: errors.New("no space left on device")}, 503},
	} {
		if a := post(t, test.f, test.body, asJSON); a.status != test.status || a.errorCode() != test.code {
			t.Errorf("%s answered %d %s, want %d %s", test.name, a.status, a.text, test.status, test.code)
		}
	}
}

func TestLimitsOfABody(t *testing.T) {
	line := `{"identity":"a","facts":{"x":"` + strings.Repeat("y", 1<<20) + "\"}}\n"
	fill := func(n int) string { // n bytes of registrations
		lines := strings.Repeat(line, n/len(line))
		return lines + strings.Repeat("\n", n-len(lines))
	}
	for _, test := range []struct {
		size, status int
	}{
		{api.MaxRegistrations - 1, 200}, {api.MaxRegistrations, 200}, {api.MaxRegistrations + 1, 413},
	} {
		f := &fake{}
		a := post(t, f, fill(test.size), "application/x-ndjson")
		if a.status != test.status || (test.status == 413) != (a.errorCode() == "too_large") {
			t.Errorf("%d bytes answered %d %.200s", test.size, a.status, a.text)
		}
	}
	h := serve(t, &fake{})
	big := strings.Repeat(" ", api.MaxAsk-len(`{"q":""}`)) + `{"q":""}`
	if a := send(t, h, "POST", "/v1/search", big, nil); a.status != 200 {
		t.Errorf("a question of the greatest size answered %d %s", a.status, a.text)
	}
	if a := send(t, h, "POST", "/v1/search", " "+big, nil); a.status != 413 {
		t.Errorf("a question one past it answered %d %s", a.status, a.text)
	}
}

func gzipped(t *testing.T, text string, level int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCompressedBodies(t *testing.T) {
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "{\"identity\":\"n%d.acme.net\",\"facts\":{\"serial\":%d}}\n", i, i*7919)
	}
	long := `{"identity":"a","facts":{"x":"` + strings.Repeat("y", 4<<20) + `"}}`
	stored := `{"identity":"a","facts":{"x":"` + strings.Repeat("y", api.MaxCompressed) + `"}}`
	for _, test := range []struct {
		name, encoding, body string
		status               int
		says                 string
	}{
		{"a hundred nodes", "gzip", gzipped(t, lines.String(), 9), 200, ""},
		{"a bomb", "gzip", gzipped(t, long, 9), 413, "larger"},
		{"too large as sent", "gzip", gzipped(t, stored, gzip.NoCompression), 413, "larger"},
		{"cut short", "gzip", gzipped(t, lines.String(), 9)[:200], 400, "is not"},
		{"none at all", "gzip", `{"identity":"a"}`, 400, "is not"},
		{"unknown", "br", "x", 415, "br"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := serve(t, &fake{})
			a := send(t, h, "POST", "/v1/registrations", test.body, http.Header{"Content-Encoding": {test.encoding}})
			if a.status != test.status || !strings.Contains(a.errorText(), test.says) {
				t.Errorf("answered %d %.300s, want %d with %q", a.status, a.text, test.status, test.says)
			}
			if test.name == "a hundred nodes" && a.body["accepted"] != float64(100) {
				t.Errorf("accepted %v", a.body["accepted"])
			}
		})
	}
}

func TestRejectedIsListed(t *testing.T) {
	f := &fake{}
	h := serve(t, f)
	send(t, h, "POST", "/v1/registrations", `["nrpe"]`, http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Real-Ip": {"192.0.2.1"}})
	a := get(t, h, "/v1/rejected")
	list := a.body["rejected"].([]any)
	if from := list[0].(map[string]any)["from"]; from != "everybody 127.0.0.1" {
		t.Errorf("it came from %v", from)
	}
	if a.body["count"] != float64(1) || len(list) != 1 || list[0].(map[string]any)["reason"] != "agent_list" {
		t.Errorf("answered %s", a.text)
	}
}
