package registry_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/registry"
	"muster/registry/boltstore"
)

// TestWhatRepeatedKnowsIsWhatRegisterWouldDo: bodies that are taken without
// being decoded leave the node as decoding and registering them does, whatever
// differs in them; and whatever is stable in them was what it is.
func TestWhatRepeatedKnowsIsWhatRegisterWouldDo(t *testing.T) {
	folder := t.TempDir()
	known, altered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		dir, err := os.MkdirTemp(folder, "")
		if err != nil {
			t.Fatal(err)
		}
		opened := func(file string) *registry.Registry {
			store, err := boltstore.Open(t.Context(), filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			r, err := registry.Open(t.Context(), registry.Config{Store: store, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close() })
			return r
		}
		quick, slow := opened("quick"), opened("slow")
		var last registry.Registration
		source := rapid.SampledFrom([]registry.Source{registry.Daemon, registry.Daemon, registry.PuppetFacts}).Draw(t, "source")
		// others has somebody else speak of the node, in both alike.
		others := func() {
			what, word := rapid.IntRange(0, 11).Draw(t, "others"), fmt.Sprint("k", rapid.IntRange(0, 1).Draw(t, "word"))
			for _, r := range []*registry.Registry{quick, slow} {
				reg := registry.Registration{Identity: "db1", Auth: "forwarder p"}
				var err error
				switch what {
				case 0:
					reg.Source, reg.Classes = registry.Catalog, []string{word}
					_, err = r.Register(t.Context(), reg)
				case 1:
					reg.Source, reg.Facts = registry.Report, map[string]any{"last_run": map[string]any{"status": word}}
					_, err = r.Register(t.Context(), reg)
				case 2:
					reg.Facts = map[string]any{"pp_role": word}
					err = r.Trust(t.Context(), reg)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		few := rapid.Int64Range(0, 1)
		for range rapid.IntRange(2, 8).Draw(t, "registrations") {
			now = now.Add(time.Minute)
			others()
			facts := map[string]any{
				"uptime": few.Draw(t, "uptime"), "os": fmt.Sprint("v", few.Draw(t, "os")/1*few.Draw(t, "os again")),
				"memory":        map[string]any{"system": map[string]any{"used": few.Draw(t, "used"), "total": few.Draw(t, "total") * few.Draw(t, "total again")}},
				"load_averages": rapid.SampledFrom([]any{map[string]any{"1m": 0.5}, map[string]any{"1m": 0.7}, "none", nil, []any{"a"}}).Draw(t, "load"),
			}
			facts["machineid"] = fmt.Sprint("machine-", few.Draw(t, "machine")*few.Draw(t, "machine again"), "0")
			facts["networking"] = map[string]any{"ip": fmt.Sprint("10.0.0.", few.Draw(t, "address")*few.Draw(t, "address again"))}
			if rapid.IntRange(0, 5).Draw(t, "without") == 0 {
				delete(facts, rapid.SampledFrom([]string{"uptime", "os", "memory", "machineid"}).Draw(t, "which"))
			}
			said := map[string]any{"facts": facts, "classes": []string{fmt.Sprint("c", rapid.IntRange(0, 5).Draw(t, "class")/5)}}
			body, err := json.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
				body = append([]byte(`{"facts":{"uptime":1,"uptime":2},`), body[1:]...)
			}
			reg := registry.Registration{Identity: "db1", Source: source, Auth: "cert", Body: body}
			all, failed := registry.DecodeRegistration(body)
			quickly, taken, err := quick.Repeated(t.Context(), reg)
			switch {
			case err != nil:
				t.Fatal(err)
			case failed != nil && taken:
				t.Fatalf("%s was taken: %v", body, failed)
			case failed != nil:
				continue
			}
			reg.Facts, reg.Classes = all.Facts, all.Classes
			if taken {
				known++
				if quickly.Changed {
					altered++
				}
			} else if _, err := quick.Register(t.Context(), reg); err != nil {
				t.Fatal(err)
			}
			reg.Body = nil
			receipt, err := slow.Register(t.Context(), reg)
			if err != nil {
				t.Fatal(err)
			}
			if last = reg; taken && receipt.Changed != quickly.Changed {
				t.Fatalf("%s changes something: %t when it is repeated, %t when it is registered", body, quickly.Changed, receipt.Changed)
			}
			for _, path := range []string{"uptime", "memory.system.used", "memory.system.total", "load_averages.1m", "os", "last_run.status", "classes", "trusted.pp_role"} {
				a, err := quick.Histogram(t.Context(), registry.Discovery{}, path)
				if err != nil {
					t.Fatal(err)
				}
				b, err := slow.Histogram(t.Context(), registry.Discovery{}, path)
				if got, want := fmt.Sprint(a), fmt.Sprint(b); err != nil || got != want {
					t.Fatalf("%s: %s, %v; want %s", path, got, err, want)
				}
			}
			a, _ := quick.Node("db1")
			b, _ := slow.Node("db1")
			if got, want := string(registry.AppendRecord(nil, &a)), string(registry.AppendRecord(nil, &b)); got != want {
				t.Fatalf("repeated, it is\n%s\nregistered\n%s", got, want)
			}
			if got, want := happened(t, quick), happened(t, slow); got != want {
				t.Fatalf("quickly, this happened\n%s\nslowly\n%s", got, want)
			}
		}
		if err := quick.Close(); err != nil {
			t.Fatal(err)
		}
		quick = opened("quick")
		if last.Body = nil; last.Identity == "" { // all were bad
			return
		}
		if receipt, err := quick.Register(t.Context(), last); err != nil || receipt.Changed {
			t.Fatalf("after a restart, what was said last changes something: %v, %v", receipt, err)
		}
		a, _ := quick.Node("db1")
		b, _ := slow.Node("db1")
		if got, want := registry.AppendJSON(nil, a.Facts), registry.AppendJSON(nil, b.Facts); string(got) != string(want) {
			t.Fatalf("after a restart the facts are\n%s\nand were\n%s", got, want)
		}
	})
	if known < 20 || altered < 5 {
		t.Errorf("only %d bodies were known, %d of them with other facts", known, altered)
	}
}

// happened is the history of a registry as text.
func happened(t *rapid.T, r *registry.Registry) string {
	var all []string
	if err := r.Events(t.Context(), registry.EventRange{}, func(e registry.Event) error {
		text, err := json.Marshal(e)
		all = append(all, string(text))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestHostileBodiesAreNotTaken: what decoding refuses is not known, although its
// outline looks like that of what was said before.
func TestHostileBodiesAreNotTaken(t *testing.T) {
	now := noon
	r := open(t, nil, &now)
	body := `{"facts":{"os":"x","uptime":1,"memory":{"system":{"used":1}}},"classes":["a"]}`
	reg, err := registry.DecodeRegistration([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	reg.Identity, reg.Body = "db1", []byte(body)
	register(t, r, reg)
	for _, next := range []string{
		`{"facts":{"os":"x","uptime":1,"memory":{"system":{"used":1,"used":2}}},"classes":["a"]}`,
		`{"facts":{"os":"x","uptime":"a\u0000b","memory":{"system":{"used":1}}},"classes":["a"]}`,
		`{"facts":{"os":"x","uptime":2,"uptime":3,"memory":{"system":{"used":1}}},"classes":["a"]}`,
		`{"facts":{"os":"x","uptime":2,"memory":{"system":{"used":1}}},"classes":["a"]} {}`,
		`{"facts":{"os":"x","uptime":2,"memory":{"system":{"used":1}}},"classes":["a"]`,
		`{"facts":{"os":"x","uptime":2,"memory":{"system":{"used":1}}},"classes":["a"],"facts":{}}`,
		`{"facts":{"os":"y","uptime":2,"memory":{"system":{"used":1}}},"classes":["a"]}`,
		`{"facts":{"os":"x","memory":{"system":{"used":1}},"uptime":2},"classes":["a"]}`,
		`{"facts":{"os":"x","uptime":2},"classes":["a"]}`,
		`{"facts":{"uptime":2,"memory":{"system":{"used":1}}},"classes":["a"]}`,
		`{"facts":{"os":"x","uptime":"AKIAABCDEFGHIJKLMNOP","memory":{"system":{"used":1}}},"classes":["a"]}`,
		"{\"facts\":{\"os\":\"x\",\"uptime\":\"\xff\",\"memory\":{\"system\":{\"used\":1}}},\"classes\":[\"a\"]}",
		``, `null`, `[]`, `{}`, `{"facts":null}`,
	} {
		if _, known, err := r.Repeated(t.Context(), registry.Registration{Identity: "db1", Body: []byte(next)}); known || err != nil {
			t.Errorf("%s is known: %v, %v", next, known, err)
		}
	}
	if _, known, err := r.Repeated(t.Context(), registry.Registration{Identity: "db1", Body: []byte(`{"facts":{"os":"x","uptime":2,"memory":{"system":{"used":7}}},"classes":["a"]}`)}); !known || err != nil {
		t.Errorf("what has only moved is not known: %v", err)
	}
}
