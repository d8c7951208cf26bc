package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/registry"
)

// Values of the shapes that are secrets by themselves; none was ever in use.
var shaped = []string{
	"-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
	"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz",
	"-----BEGIN PRIVATE KEY-----",
	"export AWS_ACCESS_KEY_ID=AKIAQQQQCANARY00QQQQ",
	"ASIAQQQQCANARY00QQQQ",
	"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
	"mst_" + strings.Repeat("C4n", 16) + "x",
}

func redacting(t testing.TB, c registry.Redaction) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registry.Config{Redact: c, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRedactionByName(t *testing.T) {
	for _, test := range []struct {
		names  []string
		name   string
		secret bool
	}{
		{nil, "ec2_userdata", true}, {nil, "userdata", true}, {nil, "user-data", true}, {nil, "customData", true},
		{nil, "password", true}, {nil, "DB_PASSWORD_OLD", true}, {nil, "rootpasswd", true}, {nil, "client_secret", true},
		{nil, "SecretAccessKey", true}, {nil, "Token", true}, {nil, "api-key", true}, {nil, "apikey", true}, {nil, "pp_preshared_key", true},
		{nil, "ssh_private_key", true}, {nil, "privatekey", true}, {nil, "aws_credentials", true},
		{nil, "ssh_host_rsa_key", false}, {nil, "ssh_public_key", false}, {nil, "gpg_pub_key", false}, {nil, "sshrsakey", false},
		{nil, "keyboard", false}, {nil, "os", false}, {nil, "monkey", false},
		{[]string{"!*token*"}, "token", false}, {[]string{"pin"}, "pin", true}, {[]string{"pin"}, "spin", false},
		{[]string{"site.pin"}, "pin", false}, {[]string{"!*_key", "ssl_key"}, "ssl-key", true}, {[]string{"!*_key", "ssl_key"}, "other_key", false},
	} {
		t.Run(fmt.Sprint(test.name, test.names), func(t *testing.T) {
			r := redacting(t, registry.Redaction{Names: test.names})
			receipt := register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{
				"deep": map[string]any{"list": []any{map[string]any{test.name: "canary"}}}, test.name: "canary",
			}})
			n, _ := r.Node("db1")
			text := string(registry.AppendNode(nil, &n))
			if kept := strings.Count(text, "canary"); (kept == 0) != test.secret || kept == 1 {
				t.Errorf("kept %d of 2: %s", kept, text)
			}
			told := strings.Contains(strings.Join(receipt.Warnings, ""), "\"deep.list.")
			if told != test.secret {
				t.Errorf("the warnings are %q", receipt.Warnings)
			}
		})
	}
}

func TestRedactionByPath(t *testing.T) {
	r := redacting(t, registry.Redaction{Names: []string{"site.*.pin", "!app.token"}})
	register(t, r, registry.Registration{Identity: "db1", Facts: map[string]any{
		"site": map[string]any{"a": map[string]any{"pin": int64(1234), "pine": "kept"}},
		"app":  map[string]any{"token": "kept", "other": map[string]any{"token": "gone"}},
	}})
	n, _ := r.Node("db1")
	want := `{"app":{"other":{"token":"[redacted]"},"token":"kept"},"site":{"a":{"pin":"[redacted]","pine":"kept"}}}`
	if got := string(registry.AppendJSON(nil, n.Facts)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What can not be a secret stays, and so does the shape of everything else.
func TestRedactionKeepsTheRest(t *testing.T) {
	r := redacting(t, registry.Redaction{})
	facts := map[string]any{
		"password_login": true, "token": nil, "tokens": []any{"a"}, "secret": map[string]any{"a": int64(1)},
		"list": []any{"a", shaped[0], int64(2)}, "jwt": "eyJ", "akia": "AKIA", "key": "-----BEGIN PUBLIC KEY-----", "cert": "-----BEGIN CERTIFICATE-----",
	}
	before := string(registry.AppendJSON(nil, facts))
	register(t, r, registry.Registration{Identity: "db1", Facts: facts})
	if after := string(registry.AppendJSON(nil, facts)); after != before {
		t.Errorf("what was handed over has changed: %s", after)
	}
	n, _ := r.Node("db1")
	want := `{"akia":"AKIA","cert":"-----BEGIN CERTIFICATE-----","jwt":"eyJ","key":"-----BEGIN PUBLIC KEY-----","list":["a","[redacted]",2],"password_login":true,"secret":"[redacted]","token":null,"tokens":"[redacted]"}`
	if got := string(registry.AppendJSON(nil, n.Facts)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := r.Stats().Redacted; got["name"] != 2 || got["value"] != 1 {
		t.Errorf("counted %v", got)
	}
	off := redacting(t, registry.Redaction{Off: true})
	register(t, off, registry.Registration{Identity: "db1", Facts: facts})
	n, _ = off.Node("db1")
	if got := string(registry.AppendJSON(nil, n.Facts)); got != before {
		t.Errorf("switched off it kept %s", got)
	}
}

func TestRedactionRefusesPatternsThatNameNothing(t *testing.T) {
	for _, pattern := range []string{"", "*", "!", "!*", "."} {
		if r, err := registry.Open(t.Context(), registry.Config{Redact: registry.Redaction{Names: []string{pattern}}}); err == nil {
			t.Errorf("%q was taken", pattern)
			_ = r.Close()
		}
	}
}

// Wherever a secret stands, no trace of it is in the node, the store, the
// history or a backup, and two secrets can not be told apart.
func TestSecretsLeaveNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"password", "my-token", "ec2_userdata", "harmless"}).Draw(t, "name")
		first, second := any("canary-one"), any("canary-two")
		if name == "harmless" {
			shape := rapid.SampledFrom(shaped).Draw(t, "shape")
			first, second = shape+" canary-one", shape+" canary-two"
		}
		wrap := func(secret any) map[string]any {
			v := map[string]any{name: secret}
			for _, kind := range depths(t) {
				if kind == "list" {
					v = map[string]any{"in": []any{"x", v}}
				} else {
					v = map[string]any{"in": v, "beside": int64(1)}
				}
			}
			return v
		}
		texts := [2]string{}
		shapeOf := wrap // the same draw must serve both
		facts := shapeOf(first)
		for i, secret := range []any{first, second} {
			texts[i] = traces(t, []map[string]any{{"a": "1"}, replaced(facts, first, secret), {"a": "2"}})
			if strings.Contains(texts[i], "canary") {
				t.Fatalf("a trace is in %s", texts[i])
			}
		}
		if texts[0] != texts[1] {
			t.Fatalf("two secrets differ:\n%s\n%s", texts[0], texts[1])
		}
	})
}

func depths(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"map", "list"}), 0, 4).Draw(t, "depth")
}

// replaced is a copy of v with one value in place of another.
func replaced(v map[string]any, old, next any) map[string]any {
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := maps.Clone(v)
			for k, e := range out {
				out[k] = walk(e)
			}
			return out
		case []any:
			out := slices.Clone(v)
			for i, e := range out {
				out[i] = walk(e)
			}
			return out
		}
		if v == old {
			return next
		}
		return v
	}
	return walk(v).(map[string]any)
}

// traces is all that a registry shows and keeps after some registrations.
func traces(t *rapid.T, turns []map[string]any) string {
	store := &registry.MemoryStore{}
	r, err := registry.Open(context.Background(), registry.Config{Store: store, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	for _, facts := range turns {
		receipt, err := r.Register(context.Background(), registry.Registration{Identity: "db1", Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, receipt)
		n, _ := r.Node("db1")
		out.Write(registry.AppendNode(nil, &n))
		out.Write(registry.AppendRecord(nil, &n))
	}
	err = r.History(context.Background(), "db1", time.Time{}, time.Time{}, func(e registry.Event) error {
		e.ID = 0
		return json.NewEncoder(&out).Encode(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, r.Rejected())
	return out.String()
}

// What was stored or backed up before it had to be clean does not come back.
func TestRedactionOfWhatWasBefore(t *testing.T) {
	facts := map[string]any{"password": "canary", "os": "Debian", "list": []any{map[string]any{"token": "canary"}}}
	store := &registry.MemoryStore{}
	old, err := registry.Open(t.Context(), registry.Config{Store: store, Redact: registry.Redaction{Off: true}, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	register(t, old, registry.Registration{Identity: "db1", Facts: facts})
	register(t, old, registry.Registration{Identity: "db1", Facts: map[string]any{"password": "canary2", "os": "Ubuntu"}})
	var backup bytes.Buffer
	if err := old.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(time.Hour)
	r := open(t, nil, &later)
	if _, err := r.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	n, _ := r.Node("db1")
	shown := string(registry.AppendRecord(nil, &n)) + history(t, r, "db1", time.Time{}, time.Time{})
	if strings.Contains(shown, "canary") || !strings.Contains(shown, "Debian") {
		t.Errorf("the backup brought %s", shown)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkRedact(b *testing.B) {
	for _, off := range []bool{false, true} {
		b.Run(fmt.Sprintf("off=%t", off), func(b *testing.B) {
			r, reg := redacting(b, registry.Redaction{Off: off}), sampleNode(b)
			b.ReportAllocs()
			for b.Loop() {
				register(b, r, reg)
			}
		})
	}
}
