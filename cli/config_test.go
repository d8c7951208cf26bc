package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"muster/registry"
)

// docs/config.md shows every key, and is a settings file that can be read.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(example, "```")
	if !found {
		t.Fatal("docs/config.md shows no settings file")
	}
	if _, err := parseConfig([]byte(example)); err != nil {
		t.Errorf("the example in docs/config.md can not be read: %v", err)
	}
	for _, key := range configKeys(reflect.TypeFor[config]()) {
		if !strings.Contains(example, key+":") {
			t.Errorf("docs/config.md does not show %s", key)
		}
	}
}

func TestLifecycleSettings(t *testing.T) {
	c, err := parseConfig([]byte(`serve:
  lifecycle:
    interval: 30m
    purge_after: -1d
    freeze_share: -1
    collectives:
      laptops: {stale_intervals: 100, purge_after: 90d}
  history: {age: 7d, megabytes: 2}
`))
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	want := registry.Lifecycle{
		Rule: registry.Rule{Interval: 30 * time.Minute, PurgeAfter: -day}, FreezeShare: -1,
		Collectives: map[string]registry.Rule{"laptops": {StaleIntervals: 100, PurgeAfter: 90 * day}},
	}
	if got := c.Serve.Lifecycle.lifecycle(); !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v\nwant\n%+v", got, want)
	}
	if got := c.Serve.History.retention(); got != (registry.Retention{Age: 7 * day, Bytes: 2 << 20}) {
		t.Errorf("read %+v", got)
	}
	if _, err := parseConfig([]byte("serve:\n  lifecycle:\n    stale_interval: 3\n")); err == nil || !strings.Contains(err.Error(), `"stale_intervals"`) {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestMCollectiveSettings(t *testing.T) {
	c, err := parseMCollective([]byte(`# a client
main_collective = mcollective
collectives = mcollective, uk
identity = client.example.com
connector = rabbitmq
plugin.rabbitmq.vhost = /mcollective
plugin.rabbitmq.pool.size = 2
plugin.rabbitmq.pool.1.host = a.example.com
plugin.rabbitmq.pool.1.port = 61614
plugin.rabbitmq.pool.1.ssl = 1
plugin.rabbitmq.pool.2.host = b.example.com
securityprovider = psk
plugin.psk = secret
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Brokers: []string{"stomp+ssl://a.example.com:61614", "stomp://b.example.com:61613"}, BrokerVhost: "/mcollective",
		MainCollective: "mcollective", Collectives: []string{"mcollective", "uk"}, Identity: "client.example.com",
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("read\n%+v\nwant\n%+v", c, want)
	}
}

// The status of every command class is the table's of docs/cli.md.
func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		class statusClass
		kind  faultKind
		want  int
	}{
		{classFind, faultNothing, 1}, {classFind, faultUsage, 2}, {classFind, faultUnreachable, 3}, {classFind, faultFailed, 3},
		{classRPC, faultNothing, 1}, {classRPC, faultSome, 2}, {classRPC, faultSilent, 3}, {classRPC, faultUsage, 1},
		{classSSH, faultUsage, 64}, {classSSH, faultNothing, 66}, {classSSH, faultUnreachable, 69}, {classSSH, faultLeft, 130}, {classSSH, faultAmbiguous, 64},
		{classCheck, faultUsage, 3}, {classCheck, faultUnreachable, 3}, {classOther, faultUsage, 2}, {classOther, faultUnreachable, 1},
	} {
		if got := status(c.class, &fault{kind: c.kind}); got != c.want {
			t.Errorf("class %q, kind %d: status %d, want %d", c.class, c.kind, got, c.want)
		}
	}
	if got := status(classSSH, &fault{kind: faultStatus, status: 7}); got != 7 {
		t.Errorf("another program's status 7 became %d", got)
	}
}

func TestSplitSSH(t *testing.T) {
	for _, c := range []struct{ rest, options, command string }{
		{"", "", ""},
		{"uptime -p", "", "uptime -p"},
		{"-l root uptime", "-l root", "uptime"},
		{"-lroot -v -p 22 ls -la", "-lroot -v -p 22", "ls -la"},
		{"-A -- -x", "-A", "-x"},
		{"-vl root id", "-vl root", "id"},
		{"-o StrictHostKeyChecking=no", "-o StrictHostKeyChecking=no", ""},
	} {
		options, command := splitSSH(strings.Fields(c.rest))
		if strings.Join(options, " ") != c.options || strings.Join(command, " ") != c.command {
			t.Errorf("%q became options %q and command %q", c.rest, options, command)
		}
	}
}
