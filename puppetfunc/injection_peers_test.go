//go:build peers

package puppetfunc_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"

	"muster/api"
	"muster/registry"
)

// Whatever a node calls itself, bound it is a value: in each form of a query it
// finds the nodes that have exactly this value, and no others.
func TestThreatT3BoundValuesAreNeverParsed(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"acme mysql::master", "x or identity=/./", "acme'", `acme"`, `acme\`, `\'`, "a)b", "(", "/./", "/", "!x", "not", "?", "$c", "${c}", "%{c}", "a=b", "=", ">1", "*", "[]", "{}",
		`{"$ne":""}`, `{'$regex':'.'}`, "a,b", "a;b", "a|b", "a\nb", "\t", " ", "", "null", "true", "ünï", "\u2028", "=acme", "c=acme", "@saved", "#", "--", "\x7f",
	}
	r, err := registry.Open(t.Context(), registry.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, value := range hostile {
		reg := registry.Registration{Identity: fmt.Sprintf("n%02d", i), Auth: "cert", Facts: map[string]any{"customer": value}, Classes: []string{"mysql::master"}}
		if _, err := r.Register(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	s, err := api.New(api.Config{Registry: r, Open: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	p := newPuppet(t, "server: "+h.URL+"\n")
	forms := []string{
		`search_nodes('customer=? mysql::master', { 'params' => [$facts['v']] })`,
		`search_nodes('customer = $c and class = mysql::master', { 'params' => { 'c' => $facts['v'] }, 'dialect' => 'native' })`,
		`search_nodes("{'facts.customer': ?, classes: 'mysql::master'}", { 'params' => [$facts['v']] })`,
		`search_nodes({ 'facts.customer' => $facts['v'] })`,
	}
	var codes []code
	for _, value := range hostile {
		for _, form := range forms {
			codes = append(codes, code{p, form, map[string]any{"v": value}})
		}
	}
	for i, result := range evaluate(t, codes...) {
		want, _ := json.Marshal([]string{fmt.Sprintf("n%02d", i/len(forms))})
		chance := hostile[i/len(forms)] == "$c" && i%len(forms) == 1 // what the manifest wrote reads the same
		if string(result.Value) != string(want) || len(result.Warnings) > 0 != chance {
			t.Errorf("%s with %q gave %s %s, want %s; warned %q", forms[i%len(forms)], hostile[i/len(forms)], result.Value, result.Error, want, result.Warnings)
		}
	}
}
