package registry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

func TestDecodeRegistration(t *testing.T) {
	body := `{"identity":"db1","facts":{"a":1,"b":{"c":[true,null,"x",1.5]}},"classes":["Web"],"agents":["puppet"],
		"collectives":["eu"],"interval":90,"lastseen":1700000000.5}`
	got, err := registry.DecodeRegistration([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := registry.Registration{
		Identity:    "db1",
		Facts:       map[string]any{"a": int64(1), "b": map[string]any{"c": []any{true, nil, "x", 1.5}}},
		Classes:     []string{"Web"},
		Agents:      []string{"puppet"},
		Collectives: []string{"eu"},
		Interval:    90 * time.Second,
		Seen:        time.UnixMilli(1700000000500).UTC(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestDecodeRegistrationWithLittle(t *testing.T) {
	for _, body := range []string{
		`{}`, ` {} `, `{"facts":null,"classes":null,"agents":null,"collectives":null,"interval":null,"lastseen":null,"identity":null}`,
		`{"lastseen":0}`,
	} {
		got, err := registry.DecodeRegistration([]byte(body))
		if err != nil || !reflect.DeepEqual(got, registry.Registration{}) {
			t.Errorf("%s: got %+v, %v; want nothing", body, got, err)
		}
	}
}

// TestDecodeRegistrationRefuses is the table of what is refused, and how that reads.
func TestDecodeRegistrationRefuses(t *testing.T) {
	for _, c := range []struct{ name, body, reason, detail string }{
		{"nothing", "", registry.ReasonMalformed, "ends too soon"},
		{"half", `{"facts":{"a":`, registry.ReasonMalformed, "ends too soon"},
		{"no JSON", "!ruby/object", registry.ReasonMalformed, "not JSON"},
		{"null", "null", registry.ReasonMalformed, "must be an object"},
		{"text", `"x"`, registry.ReasonMalformed, "must be an object"},
		{"two", "{} {}", registry.ReasonMalformed, "more follows"},
		{"rubbish after", "{} x", registry.ReasonMalformed, "more follows"},
		{"bare agent list", `["rpcutil","puppet"]`, registry.ReasonAgentList, "registration = Meta"},
		{"duplicate envelope key", `{"identity":"a","identity":"b"}`, registry.ReasonDuplicate, `"/identity" is there twice`},
		{"duplicate fact", `{"facts":{"a":1,"a":2}}`, registry.ReasonDuplicate, `"/facts/a" is there twice`},
		{"duplicate by escape", `{"facts":{"a":1,"\u0061":2}}`, registry.ReasonDuplicate, "twice"},
		{"alias", `{"identity":"a","IDENTITY":"b"}`, registry.ReasonDuplicate, `"IDENTITY" is another spelling of "identity"`},
		{"alias alone", `{"Facts":{}}`, registry.ReasonDuplicate, `another spelling of "facts"`},
		{"alias by long s", `{"claſſes":[]}`, registry.ReasonDuplicate, "another spelling"},
		{"facts a list", `{"facts":[1]}`, registry.ReasonMalformed, "facts must be an object"},
		{"classes a text", `{"classes":"web"}`, registry.ReasonMalformed, "classes must be a list"},
		{"a class a number", `{"classes":["web",1]}`, registry.ReasonMalformed, "each of classes must be a text"},
		{"identity a number", `{"identity":1}`, registry.ReasonMalformed, "identity must be a text"},
		{"interval a text", `{"interval":"90"}`, registry.ReasonMalformed, "interval must be a number of seconds"},
		{"interval negative", `{"interval":-1}`, registry.ReasonMalformed, "interval must be"},
		{"interval endless", `{"interval":1e300}`, registry.ReasonMalformed, "interval must be"},
		{"lastseen a list", `{"lastseen":[]}`, registry.ReasonMalformed, "lastseen must be"},
		{"invalid UTF-8", "{\"facts\":{\"a\":\"\xff\"}}", registry.ReasonMalformed, "UTF-8"},
		{"invalid UTF-8 key", "{\"facts\":{\"\xff\":1}}", registry.ReasonMalformed, "UTF-8"},
		{"half a surrogate", `{"facts":{"a":"\ud800"}}`, registry.ReasonMalformed, "UTF-8"},
		{"NUL in a value", `{"facts":{"a":"x\u0000y"}}`, registry.ReasonMalformed, `value of "/facts/a" holds a NUL`},
		{"NUL in a key", `{"facts":{"a\u0000":1}}`, registry.ReasonMalformed, "holds a NUL"},
		{"NaN", `{"facts":{"a":NaN}}`, registry.ReasonMalformed, "not JSON"},
		{"comma", `{"facts":{"a":1,}}`, registry.ReasonMalformed, "not JSON"},
		{"nested 20,000 deep", `{"facts":{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`, registry.ReasonMalformed, "nested"},
		{"too large", `{"facts":{"a":"` + strings.Repeat("x", registry.MaxBody) + `"}}`, registry.ReasonTooLarge, "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reg, err := registry.DecodeRegistration([]byte(c.body))
			refusal, ok := errors.AsType[*registry.Refusal](err)
			if !ok {
				t.Fatalf("got %+v, %v; want a refusal", reg, err)
			}
			if refusal.Reason != c.reason || !strings.Contains(refusal.Detail, c.detail) {
				t.Errorf("refused for %s: %s\nwant %s: …%s…", refusal.Reason, refusal.Detail, c.reason, c.detail)
			}
			if strings.Contains(refusal.Error(), "json") {
				t.Errorf("the library speaks: %s", refusal.Error())
			}
		})
	}
}

func TestDecodeRegistrationNamesTheSenderItRefuses(t *testing.T) {
	_, err := registry.DecodeRegistration([]byte(`{"identity":"db1","facts":7}`))
	refusal, ok := errors.AsType[*registry.Refusal](err)
	if !ok || refusal.Identity != "db1" {
		t.Errorf("got %v, want a refusal of db1", err)
	}
}

func TestDecodeRegistrationWarnsOfUnknownKeys(t *testing.T) {
	reg, err := registry.DecodeRegistration([]byte(`{"trusted":{"role":"admin"},"colour":[[[1]]],"state":"active","auth":"cert"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(reg.Warnings) != 1 || !strings.Contains(reg.Warnings[0], `"colour" is not known`) {
		t.Errorf("warnings: %s\nwant one about colour", reg.Warnings)
	}
	reg.Identity = "db1"
	_, section, err := registry.Normalize(reg, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(section.Warnings, "\n"); !strings.Contains(got, "trusted facts come from the certificate") || len(section.Facts) > 0 {
		t.Errorf("warnings: %s, facts %v", got, section.Facts)
	}
	if reg.Auth != "" {
		t.Errorf("a body set auth to %q", reg.Auth)
	}
}

// TestNumbersStayExact: what a number is read as, in a fact.
func TestNumbersStayExact(t *testing.T) {
	for text, want := range map[string]any{
		"0":                             int64(0),
		"-1":                            int64(-1),
		"9223372036854775807":           int64(1<<63 - 1),
		"9007199254740993":              int64(1<<53 + 1),
		"9223372036854775808":           json.Number("9223372036854775808"),
		"9223372036854775809":           json.Number("9223372036854775809"),
		"18446744073709551616":          json.Number("18446744073709551616"),
		"1.5":                           1.5,
		"1.50":                          1.5,
		"0.1":                           0.1,
		"1e3":                           1000.0,
		"1E+03":                         1000.0,
		"4.0":                           4.0,
		"100000000000000000000.0":       1e20,
		"0.10000000000000001":           json.Number("0.10000000000000001"),
		"1e400":                         json.Number("1e400"),
		"-1e-400":                       json.Number("-1e-400"),
		"0e5":                           0.0,
		"1e9998":                        json.Number("1e9998"),
		"1e10000":                       "1e10000",
		"1e99999999999999999999":        "1e99999999999999999999",
		"0." + strings.Repeat("3", 500): "0." + strings.Repeat("3", 500),
	} {
		reg, err := registry.DecodeRegistration([]byte(`{"facts":{"n":` + text + `}}`))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := reg.Facts["n"]; got != want {
			t.Errorf("%s was read as %T %v, want %T %v", text, got, got, want, want)
		}
	}
}

func TestDates(t *testing.T) {
	at := time.Date(2023, 11, 14, 22, 13, 20, 500_000_000, time.UTC)
	for text, want := range map[string]any{
		`{"$date":"2023-11-14T22:13:20.5Z"}`:         at,
		`{"$date":"2023-11-14T23:13:20.5009+01:00"}`: at,
		`{"$date":1700000000500}`:                    at,
		`{"$date":{"$numberLong":"1700000000500"}}`:  at,
		`{"$date":"yesterday"}`:                      map[string]any{"$date": "yesterday"},
		`{"$date":"2023-11-14T22:13:20Z","x":1}`:     map[string]any{"$date": "2023-11-14T22:13:20Z", "x": int64(1)},
	} {
		reg, err := registry.DecodeRegistration([]byte(`{"facts":{"d":` + text + `}}`))
		if err != nil || !reflect.DeepEqual(reg.Facts["d"], want) {
			t.Errorf("%s was read as %v, %v; want %v", text, reg.Facts["d"], err, want)
		}
	}
}

func TestDecodeDocument(t *testing.T) {
	doc, err := registry.DecodeDocument([]byte(`{"_id":"n1","facts":{"a":1},"classes":["c"],"lastseen":{"$date":"2023-11-14T22:13:20Z"},"x":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Identity != "n1" || doc.Facts["a"] != int64(1) || doc.Classes[0] != "c" || doc.Seen.Unix() != 1700000000 {
		t.Errorf("got %+v", doc)
	}
	doc, err = registry.DecodeDocument([]byte(`{"_id":"n1","identity":"web1"}`))
	if err != nil || doc.Identity != "web1" {
		t.Errorf("got %+v, %v; want the identity before the _id", doc, err)
	}
	for line, want := range map[string]string{
		`{}`:                                     "needs an identity",
		`[]`:                                     "must be an object",
		`{"identity":"a"} 1`:                     "more follows",
		`{"identity":"a","facts":{"b":1,"b":2}}`: "twice",
	} {
		if doc, err := registry.DecodeDocument([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", line, doc, err, want)
		}
	}
}

// FuzzDecodeRegistration: whatever comes in, nothing breaks, and what is
// accepted has the facts that another reader sees.
func FuzzDecodeRegistration(f *testing.F) {
	for _, seed := range []string{
		`{"identity":"db1","facts":{"a":1,"b":{"c":[true,null,"x",1.5]}},"classes":["Web"]}`,
		`{"facts":{"n":12345678901234567890,"d":{"$date":"2023-11-14T22:13:20Z"}}}`,
		`["rpcutil"]`, `{"identity":"a","IDENTITY":"b"}`, `{"facts":{"a":1e9999}}`, `{"facts":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat("}", 71),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reg, err := registry.DecodeRegistration(body)
		if err != nil {
			if _, ok := errors.AsType[*registry.Refusal](err); !ok {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		var other struct{ Facts map[string]any }
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&other); err != nil {
			t.Fatalf("accepted, but another reader says: %v", err)
		}
		if len(other.Facts) != len(reg.Facts) {
			t.Fatalf("%d facts, another reader sees %d", len(reg.Facts), len(other.Facts))
		}
		reg.Identity, reg.Auth = "fuzz", "cert"
		id, section, err := registry.Normalize(reg, time.Unix(1700000000, 0))
		if err != nil {
			t.Fatal(err)
		}
		n := registry.NewNode(id, time.Unix(1, 0), map[registry.Source]*registry.Section{registry.Daemon: section})
		record := registry.AppendRecord(nil, &n)
		back, err := registry.ParseRecord(record)
		if err != nil {
			t.Fatalf("%v\n%s", err, record)
		}
		if again := registry.AppendRecord(nil, &back); string(again) != string(record) {
			t.Fatalf("read back as\n%s\nwant\n%s", again, record)
		}
	})
}
