package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stop is one stop of the tour: what to type, and as what words it is run.
type stop struct {
	say  string
	line string   // as a person types it, after the aliases
	run  []string // nil: it is an HTTP request for get
	get  string
}

const tourQuery = "{'facts.customer': 'acme', 'facts.environment':development, classes: 'mysql::master'}"

func (d *demo) stops() []stop {
	const with = `-W "environment=development customer=acme mysql::master"`
	withWords := []string{"-W", "environment=development customer=acme mysql::master"}
	return []stop{
		{say: "by classes and facts", line: "muster find " + with, run: append([]string{"find"}, withWords...)},
		{
			say: "by an expression", line: `muster find -S "operatingsystem=CentOS and !environment=dev"`,
			run: []string{"find", "-S", "operatingsystem=CentOS and !environment=dev"},
		},
		{
			say: "with regular expressions", line: `muster find -S " ( /httpd/ or /nginx/ ) and is_virtual=true"`,
			run: []string{"find", "-S", " ( /httpd/ or /nginx/ ) and is_virtual=true"},
		},
		{
			say: "with MCollective's flags", line: "muster find -F country=de -C /apache/ -I /web/",
			run: []string{"find", "-F", "country=de", "-C", "/apache/", "-I", "/web/"},
		},
		{
			say:  "over HTTP, as Puppet does",
			line: fmt.Sprintf("curl -sG %s/v1/search --data-urlencode \"q=%s\"", strings.TrimPrefix(d.site.baseURL(), "http://"), tourQuery),
			get:  "/v1/search?q=" + url.QueryEscape(tourQuery),
		},
		{say: "ssh to what it is (here it is only shown)", line: "mc-ssh " + with, run: append([]string{"ssh"}, withWords...)},
		{
			say: "a Nagios check on the nodes themselves", line: "check-mc-nrpe " + with + " check_load",
			run: append(append([]string{"check", "nrpe"}, withWords...), "check_load"),
		},
		{say: "ask the nodes", line: `muster ping -W "customer=acme mysql::master"`, run: []string{"ping", "-W", "customer=acme mysql::master"}},
		{
			say: "what was understood", line: `muster explain -S "operatingsystem=CentOS and !environment=dev"`,
			run: []string{"explain", "-S", "operatingsystem=CentOS and !environment=dev"},
		},
	}
}

// tour waits until the fleet has registered, shows what to type, and says how
// to go on.
func (d *demo) tour(ctx context.Context) error {
	if err := d.registered(ctx); err != nil {
		return err
	}
	w := d.direct
	fmt.Fprintf(w, "%d nodes have registered over STOMP (%s), %.1f s after the start.\n", len(d.fleet), d.site.brokerURIs[0], d.env.Now().Sub(d.began).Seconds())
	for _, s := range d.stops() {
		answer, err := d.show(ctx, s)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n# %s\n$ %s\n%s", s.say, s.line, answer)
	}
	_, err := fmt.Fprintf(w, `
# in a second shell
%[5]salias muster='%[1]s' mc-ssh='%[1]s ssh' check-mc-nrpe='%[1]s check nrpe'
muster inventory %[2]s        # this very machine is in the list
puppet apply --modulepath DIR -e '$m = search_nodes("customer=acme mysql::master") notice($m)'        # after: muster module install DIR

# your own nodes
muster import FILE            # node documents, or facter --json | muster import --identity NAME -
muster serve                  # a registry that stays; it prints the line by which a node joins: muster agent --join LINE

HTTP is at %[3]s, STOMP at %[4]s. Everything is kept in a temporary folder and goes with this process.
`, d.env.Executable, d.fleet[len(d.fleet)-1].Sealer.Name(), d.site.baseURL(), strings.Join(d.site.brokerURIs, " "), d.pointer())
	if err == nil && !d.once {
		_, err = fmt.Fprintln(w, "Interrupt (Ctrl-C) ends it.")
	}
	return err
}

// registered returns once every node of the demo is in the registry.
func (d *demo) registered(ctx context.Context) error {
	bar := d.newProgress("registering", len(d.fleet))
	defer bar.end()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	reached := time.NewTimer(brokerWithin)
	defer reached.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		here := 0
		for i := range d.fleet {
			if node, ok := d.site.registry.Node(d.fleet[i].Sealer.Name()); ok && !node.LastSeen.Before(d.began) {
				here++
			}
		}
		bar.at(here)
		if here == len(d.fleet) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-reached.C:
			if status := d.site.client.Status(); !status.Connected && status.LastError != "" {
				return fmt.Errorf("the broker is not reached: %s", status.LastError)
			}
		case <-deadline.C:
			return fmt.Errorf("only %d of %d nodes have registered within two minutes; the first one's connection: %s",
				here, len(d.fleet), d.clients[0].Status().LastError)
		case <-tick.C:
		}
	}
}

// shownLines is how much of a long answer the tour shows.
const shownLines = 6

// show types one command and returns what it prints.
func (d *demo) show(ctx context.Context, s stop) (string, error) {
	var out bytes.Buffer
	if s.run != nil {
		env := *d.env
		env.Args, env.Name, env.Stdout, env.Stderr = s.run, "muster", &out, &out
		env.Stdin, env.StdinTerminal, env.StderrTerminal = strings.NewReader(""), false, false
		env.Become = func([]string) error { return nil }
		env.Getenv = func(name string) string {
			if name == "MUSTER_RUN_FILE" {
				return d.runFile
			}
			return d.env.Getenv(name)
		}
		if status := Run(ctx, env); status != 0 {
			return "", fmt.Errorf("the tour's %q ended with status %d: %s", s.line, status, out.String())
		}
		return shorten(out.String()), nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.site.baseURL()+s.get, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(&out, response.Body); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the tour's %q was answered by %s: %s", s.line, response.Status, out.String())
	}
	return strings.TrimRight(out.String(), "\n") + "\n", nil
}

// shorten keeps the first lines of a long answer, and says how many were left out.
func shorten(text string) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n")+"\n", "\n")
	lines = lines[:len(lines)-1]
	if len(lines) <= shownLines+2 {
		return strings.Join(lines, "")
	}
	return strings.Join(lines[:shownLines], "") + fmt.Sprintf("… and %d more\n", len(lines)-shownLines)
}

// pointer is what a second shell must be told where another server of this
// user has announced itself already.
func (d *demo) pointer() string {
	if r, err := d.env.readRunFile(); err == nil && r != nil && r.Server == d.site.baseURL() {
		return ""
	}
	return fmt.Sprintf("export MUSTER_RUN_FILE=%s        # another server of yours runs\n", d.runFile)
}
