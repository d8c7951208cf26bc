//go:build peers

package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/internal/bus/rabbittest"
	"muster/registry/mongostore/ferrettest"
)

// The same journeys through a real RabbitMQ.
func TestJourneyThroughRabbitMQ(t *testing.T) {
	server := rabbittest.Start(t, "mcollective")
	passcode := filepath.Join(t.TempDir(), "passcode")
	if err := os.WriteFile(passcode, []byte(server.Passcode), 0o600); err != nil {
		t.Fatal(err)
	}
	journey(t, startDemo(t, map[string]string{
		"MUSTER_BROKER_LOGIN": server.Login, "MUSTER_BROKER_PASSCODE_FILE": passcode, "MUSTER_BROKER_VHOST": server.Vhost,
	}, "--broker", server.URI))
}

// The same journeys on MongoDB's wire. The fleet is small: FerretDB takes
// milliseconds for each document.
func TestJourneyOnMongoDB(t *testing.T) {
	journey(t, startDemo(t, nil, "--store", ferrettest.Start(t), "--nodes", "16"))
}

// search_nodes in a real Puppet, against the demo.
func TestJourneyInPuppet(t *testing.T) {
	w := startDemo(t, nil)
	modules := t.TempDir()
	if r := w.run(t, "muster", "module", "install", modules); r.status != 0 {
		t.Fatalf("installing the module: %s", r.stderr)
	}
	conf := t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "muster.yaml"), []byte("server: "+w.server+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const manifest = `$m = search_nodes("customer=acme mysql::master") notice($m)`
	cmd := exec.Command("puppet", "apply", "--color=false", "--confdir", conf, "--vardir", t.TempDir(), "--modulepath", modules, "-e", manifest)
	out, err := cmd.CombinedOutput()
	const want = "Notice: Scope(Class[main]): [db01.ams1.acme.example.net, db01.ams2.acme.example.net, db1.acme.net]"
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("puppet apply: %v\n%s\nwant %s", err, out, want)
	}
}
