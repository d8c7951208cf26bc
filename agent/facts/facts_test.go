package facts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/host"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func compact(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// Each scalar means what the real Ruby said it means.
func TestYAMLIsReadAsRubyReadsIt(t *testing.T) {
	text, err := os.ReadFile("testdata/ruby-yaml.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row := range bytes.Lines(text) {
		var pair [2]json.RawMessage
		if err := json.Unmarshal(row, &pair); err != nil {
			t.Fatal(err)
		}
		var scalar string
		if err := json.Unmarshal(pair[0], &scalar); err != nil {
			t.Fatal(err)
		}
		got, err := parseYAML([]byte("k: " + scalar))
		if err != nil {
			t.Errorf("%q: %v", scalar, err)
			continue
		}
		if text := compact(t, got["k"]); text != string(pair[1]) {
			t.Errorf("%q: got %s, Ruby has %s", scalar, text, pair[1])
		}
		n++
	}
	if n < 50 {
		t.Errorf("only %d rows", n)
	}
}

func TestYAMLStructures(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `{}`},
		{"---\n", `{}`},
		{"rack: {dc: par1, pos: 12}\nlist: [a, b]\n\"with space\": x\n\"$dollar\": y\nnul: ~", `{"$dollar":"y","list":["a","b"],"nul":null,"rack":{"dc":"par1","pos":12},"with space":"x"}`},
		{"1: x\nyes: z\n1.5: f", `{"1":"x","1.5":"f","true":"z"}`},
		{"base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3", `{"base":{"x":1,"y":2},"d":{"x":1,"y":3}}`},
		{"--- !ruby/object:Puppet::Report\nhost: db1", `{"host":"db1"}`},
		{"t: |\n  yes\n", `{"t":"yes\n"}`},
		{"a: &x yes\nb: *x", `{"a":true,"b":true}`},
	} {
		got, err := parseYAML([]byte(c.in))
		if err != nil || compact(t, got) != c.want {
			t.Errorf("%q:\ngot  %s, %v\nwant %s", c.in, compact(t, got), err, c.want)
		}
	}
}

// Files that would eat the daemon are refused, with the reason.
func TestHostileYAMLIsRefused(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'j'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", i-1), 10), ","))
	}
	for name, c := range map[string]struct{ in, want string }{
		"alias bomb":   {bomb, "more than 50000 values"},
		"deep":         {"a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested deeper than 64"},
		"self":         {"a: &a [*a]", "nested deeper"},
		"not mapping":  {"- a\n- b", "not a mapping"},
		"unclosed":     {"k: [unclosed", "not YAML"},
		"control byte": {"k: \x01", "not YAML"},
	} {
		start := time.Now()
		if _, err := parseYAML([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// The folder that the real Facter was shown, with what it said of it.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "customer=acme\ntier = gold\n# note=no\ndotted.key=1\ndup=fromtxt\nflag=true\nnum=42\n\nnonsense\n", 0o644)
	write(t, filepath.Join(dir, "b.yaml"), "rack: {dc: par1}\nreleased: 2026-11-20\nyes_no: yes\noctal: 010\nnul: ~\n", 0o644)
	write(t, filepath.Join(dir, "bad.yaml"), "k: [unclosed", 0o644)
	write(t, filepath.Join(dir, "c.json"), `{"json_fact":{"k":1.5,"big":12345678901234567890,"a.b":"dot"},"dup":"fromjson"}`, 0o644)
	write(t, filepath.Join(dir, "README"), "not a fact", 0o644)
	got, warnings := Source{Facter: "off", Dir: dir}.folder(t.Context())
	want := `{"customer":"acme","dotted.key":"1","dup":"fromjson","flag":"true","json_fact":{"a.b":"dot","big":12345678901234567890,"k":1.5},` +
		`"nul":null,"num":"42","octal":8,"rack":{"dc":"par1"},"released":"2026-11-20","tier":"gold","yes_no":true}`
	if text := compact(t, got); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "bad.yaml: is not YAML") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestAFolderThatIsNotThereIsNoFault(t *testing.T) {
	if got, warnings := (Source{Dir: filepath.Join(t.TempDir(), "none")}).folder(t.Context()); len(got)+len(warnings) != 0 {
		t.Errorf("%v, %v", got, warnings)
	}
}

// Later beats earlier, files beat the folder, the folder beats the machine, and
// a null takes a fact away.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "kernel=folder\na=folder\npath=x", 0o644)
	one := write(t, filepath.Join(t.TempDir(), "one.yaml"), "a: one\nb: one\n", 0o644)
	two := write(t, filepath.Join(t.TempDir(), "two.json"), `{"b":"two","path":null}`, 0o644)
	got, warnings := Source{Facter: "off", Dir: dir, Files: []string{one, "/no/such.yaml", two}}.Collect(t.Context())
	if got["kernel"] != "folder" || got["a"] != "one" || got["b"] != "two" {
		t.Errorf("kernel %v, a %v, b %v", got["kernel"], got["a"], got["b"])
	}
	if _, there := got["path"]; there {
		t.Error("a null fact was kept")
	}
	if _, there := got["os"]; !there {
		t.Error("the machine's own facts are gone")
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "/no/such.yaml") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestWhatIsNoFactFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"list.json": `[1]`, "two.json": `{} {}`, "empty.json": ``, "cut.json": `{"a":`, "dir.yaml/": "",
	} {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, path, text, 0o644)
		}
		if got, err := readFile(path); err == nil {
			t.Errorf("%s was read as %v", name, got)
		}
	}
	big := write(t, filepath.Join(dir, "big.json"), `{"a":"`+strings.Repeat("x", maxFile)+`"}`, 0o644)
	if _, err := readFile(big); err == nil || !strings.Contains(err.Error(), "larger than 8 MiB") {
		t.Errorf("big file: %v", err)
	}
}

func TestHostsFileGivesTheDomain(t *testing.T) {
	for _, c := range []struct{ hosts, want string }{
		{"127.0.0.1 localhost\n127.0.1.1 web1.acme.net web1\n", "acme.net"},
		{"127.0.0.1 localhost web1\n", ""},
		{"127.0.1.1 web1 web1.acme.net\n", ""},
		{"# 10.0.0.1 web1.acme.net web1\n", ""},
		{"10.0.0.1 WEB1.Acme.NET WEB1", "acme.net"},
	} {
		if got := domainInHosts(bufio.NewScanner(strings.NewReader(c.hosts)), "web1"); got != c.want {
			t.Errorf("%q: %q, want %q", c.hosts, got, c.want)
		}
	}
}

func TestAmounts(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1.00 KiB", 24930754560: "23.22 GiB", 345309184: "329.31 MiB", 274877906944: "256.00 GiB", 1<<64 - 1: "16.00 EiB"} {
		if got := amount(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
	for seconds, want := range map[uint64]string{59: "0:00 hours", 3900: "1:05 hours", 86400: "1 day", 300000: "3 days"} {
		if got := uptime(seconds)["uptime"]; got != want {
			t.Errorf("%d s: %v, want %s", seconds, got, want)
		}
	}
}

func TestLinuxNames(t *testing.T) {
	for _, c := range []struct{ release, version, want string }{
		{"ID=debian\nVERSION_ID=\"12\"", "12.11", `Debian Debian 12.11 12 11`},
		{"ID=ubuntu\nVERSION_ID=\"22.04\"", "22.04", `Ubuntu Debian 22.04 22.04 <nil>`},
		{"ID=\"rhel\"\nVERSION_ID=\"9.3\"", "9.3", `RedHat RedHat 9.3 9 3`},
		{"ID=homegrown\nID_LIKE=\"unknown rhel fedora\"\nVERSION_ID=1", "", `homegrown RedHat 1 1 <nil>`},
		{"", "", `Linux Linux   <nil>`},
	} {
		path := write(t, filepath.Join(t.TempDir(), "os-release"), c.release, 0o644)
		os := linuxOS(&host.InfoStat{KernelArch: "x86_64", PlatformVersion: c.version}, readOSRelease("/no/such", path))
		r := os["release"].(map[string]any)
		if got := fmt.Sprint(os["name"], " ", os["family"], " ", r["full"], " ", r["major"], " ", r["minor"]); got != c.want {
			t.Errorf("%q: %s, want %s", c.release, got, c.want)
		}
	}
}

// An address that others can reach is shown before a link-local one.
func TestTheUsableAddressIsTheInterfacesOwn(t *testing.T) {
	var addrs []net.Addr
	for _, text := range []string{"169.254.3.4/16", "192.0.2.7/24", "fe80::1/64", "2001:db8::7/48"} {
		ip, n, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	i := oneInterface(net.Interface{MTU: 1500, HardwareAddr: net.HardwareAddr{2, 0xfc, 0, 0, 0, 1}}, addrs)
	if got := fmt.Sprint(i["ip"], i["netmask"], i["network"], i["ip6"], i["network6"], i["scope6"], i["mac"]); got != "192.0.2.7255.255.255.0192.0.2.02001:db8::72001:db8::global02:fc:00:00:00:01" {
		t.Error(got)
	}
}

// The fingerprints are those that ssh-keygen -r prints for this key.
func TestHostKeys(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ssh_host_ed25519_key.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS root@web1\n", 0o644)
	write(t, filepath.Join(dir, "ssh_host_rsa_key.pub"), "ssh-rsa not*base64 x\n", 0o644)
	got := compact(t, sshKeys([]string{filepath.Join(dir, "none"), dir}))
	want := `{"ed25519":{"fingerprints":{"sha1":"SSHFP 4 1 06a2de9a2d0f034701d67917e49cfc45a03c2e61","sha256":"SSHFP 4 2 a87f1b687ac0e57d2a081a2f282672334d90ed316d2b818ca9580ea384d92401"},"key":"AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS","type":"ssh-ed25519"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
