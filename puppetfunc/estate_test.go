//go:build puppetserver && peers

package puppetfunc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"muster/puppetfunc"
)

const agentName = "agent1.example.net"

// estate is a site as people have it: a CA of Puppet's kind, a muster that knows
// it, a puppetserver that feeds muster by PuppetDB's own terminus, and an agent.
type estate struct {
	release
	dir    string
	ca     *puppetCA
	muster string    // address
	port   string    // the puppetserver's
	rubies int       // in which it compiles, side by side
	log    *said     // what all of them said
	server *exec.Cmd // muster
}

// What the puppetserver runs: no CA of its own, since the test's signs.
const services = `puppetlabs.services.request-handler.request-handler-service/request-handler-service
puppetlabs.services.jruby.jruby-puppet-service/jruby-puppet-pooled-service
puppetlabs.services.jruby-pool-manager.jruby-pool-manager-service/jruby-pool-manager-service
puppetlabs.services.puppet-profiler.puppet-profiler-service/puppet-profiler-service
puppetlabs.trapperkeeper.services.webserver.jetty9-service/jetty9-service
puppetlabs.trapperkeeper.services.webrouting.webrouting-service/webrouting-service
puppetlabs.services.config.puppet-server-config-service/puppet-server-config-service
puppetlabs.services.master.master-service/master-service
puppetlabs.trapperkeeper.services.authorization.authorization-service/authorization-service
puppetlabs.services.versioned-code-service.versioned-code-service/versioned-code-service
puppetlabs.trapperkeeper.services.scheduler.scheduler-service/scheduler-service
puppetlabs.trapperkeeper.services.status.status-service/status-service
puppetlabs.trapperkeeper.services.metrics.metrics-service/metrics-service
puppetlabs.services.jruby.jruby-metrics-service/jruby-metrics-service
puppetlabs.services.ca.certificate-authority-disabled-service/certificate-authority-disabled-service
puppetlabs.trapperkeeper.services.watcher.filesystem-watch-service/filesystem-watch-service
`

const serverConf = `global: { logging-config: "DIR/logback.xml" }
webserver: { client-auth: want, ssl-host: "127.0.0.1", ssl-port: PORT,
  ssl-cert: "DIR/conf/ssl/certs/puppet.example.net.pem", ssl-key: "DIR/conf/ssl/private_keys/puppet.example.net.pem",
  ssl-ca-cert: "DIR/conf/ssl/certs/ca.pem", ssl-crl-path: "DIR/conf/ssl/crl.pem" }
web-router-service: { "puppetlabs.services.master.master-service/master-service": "/puppet",
  "puppetlabs.trapperkeeper.services.status.status-service/status-service": "/status" }
metrics: { server-id: localhost, registries: { puppetserver: { } } }
http-client: { }
profiler: { }
jruby-puppet: { ruby-load-path: [/usr/lib/puppetserver/ruby/vendor_ruby], gem-home: "DIR/var/gems",
  gem-path: ["DIR/var/gems", /usr/lib/puppetserver/vendored-jruby-gems], max-active-instances: RUBIES, compile-mode: off,
  server-conf-dir: "DIR/conf", server-code-dir: "DIR/code", server-var-dir: "DIR/var", server-run-dir: "DIR/run", server-log-dir: "DIR/log" }
authorization: { version: 1, rules: [
  { match-request: { path: "/status", type: path }, allow-unauthenticated: true, sort-order: 1, name: status },
  { match-request: { path: "^/puppet/v3/(catalog|node|report|facts)/([^/]+)$", type: regex }, allow: "$2", sort-order: 2, name: own },
  { match-request: { path: "/puppet/v3/file", type: path }, allow: "*", sort-order: 3, name: files },
  { match-request: { path: "/", type: path }, deny: "*", sort-order: 999, name: "deny all" } ] }
`

const logback = `<configuration><appender name="S" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%level %logger{1} %m%n%nopex</pattern></encoder></appender>
<root level="warn"><appender-ref ref="S"/></root></configuration>
`

func newEstate(t *testing.T, r release) *estate {
	t.Helper()
	e := &estate{release: r, dir: t.TempDir(), ca: newPuppetCA(t), log: &said{}, rubies: 1}
	for i, host := range []struct{ name, ssl string }{{certname, "conf/ssl"}, {agentName, "agent/ssl"}, {"muster.example.net", "muster/ssl"}} {
		e.ca.enrolAs(t, host.name, filepath.Join(e.dir, host.ssl), e.ca.issue(t, int64(i+2), host.name), e.ca.revoke(t))
	}
	e.server = e.startMuster(t)
	const environment = "code/environments/production"
	e.write(t, environment+"/modules/role/manifests/db.pp", "class role::db { }\n")
	e.write(t, environment+"/hiera.yaml", "version: 5\nhierarchy:\n  - { name: m, lookup_key: 'muster::hiera', options: { node: '%{trusted.certname}' } }\n")
	if err := puppetfunc.Install(filepath.Join(e.dir, environment, "modules")); err != nil {
		t.Fatal(err)
	}
	e.write(t, "conf/muster.yaml", "server: https://"+e.muster+"\ncache: { fresh: 0 }\n")
	e.write(t, "conf/puppetdb.conf", "[main]\nserver_urls = https://"+e.muster+"\nsoft_write_failure = true\n")
	e.write(t, "conf/routes.yaml", "server:\n  facts: { terminus: puppetdb, cache: yaml }\n")
	e.write(t, "conf/puppet.conf", "[main]\ncertname = "+certname+"\nssldir = "+e.dir+"/conf/ssl\n"+
		"[server]\nstoreconfigs = true\nstoreconfigs_backend = puppetdb\nreports = puppetdb\nenvironmentpath = "+e.dir+"/code/environments\n")
	return e
}

func (e *estate) write(t *testing.T, name, text string) string {
	t.Helper()
	return write(t, filepath.Join(e.dir, name), strings.NewReplacer("DIR", e.dir, "PORT", e.port, "RUBIES", strconv.Itoa(e.rubies)).Replace(text))
}

// start runs a program until the test ends.
func (e *estate) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "HOME="+e.dir, "XDG_STATE_HOME="+e.dir+"/state", "XDG_CONFIG_HOME="+e.dir+"/config", "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = e.log, e.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		err := cmd.Wait()
		fmt.Fprintf(e.log, "%s ended: %v\n", cmd.Args[0], err)
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
}

// startMuster runs the program itself, with Puppet's certificates.
func (e *estate) startMuster(t *testing.T) *exec.Cmd {
	t.Helper()
	program := filepath.Join(e.dir, "muster", "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := e.write(t, "muster/muster.yaml", `serve:
  puppet: DIR/muster/ssl
  tls: true
  forwarders: [`+certname+`]
  readers: ["agent*.example.net"]
  hiera: { peers: { query: class = role::db, source: catalog } }
`)
	cmd := exec.Command(program, "--config", config, "serve", "--listen", "127.0.0.1:0", "--stomp-listen", "127.0.0.1:0", "--data", filepath.Join(e.dir, "muster/data"))
	e.start(t, cmd)
	e.muster = e.log.await(t, time.Minute, `HTTP at https://([^,]+),`)
	return cmd
}

func (e *estate) startPuppetserver(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, e.port, _ = net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil { // another could take it now; the odds are small
		t.Fatal(err)
	}
	e.write(t, "services.d/bootstrap.cfg", services)
	e.write(t, "conf.d/puppetserver.conf", serverConf)
	e.write(t, "logback.xml", logback)
	java := e.command(context.WithoutCancel(t.Context()), "java", "-Xmx900m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+e.dir, "-Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger",
		"-cp", "/usr/share/puppetserver/puppetserver.jar", "clojure.main", "-m", "puppetlabs.trapperkeeper.main",
		"--config", filepath.Join(e.dir, "conf.d"), "--bootstrap-config", filepath.Join(e.dir, "services.d"))
	e.start(t, java)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.ca.pool()}}, Timeout: 5 * time.Second}
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get("https://127.0.0.1:" + e.port + "/status/v1/simple")
		if err == nil {
			var body bytes.Buffer
			_, _ = body.ReadFrom(answer.Body)
			answer.Body.Close()
			if body.String() == "running" {
				return
			}
		}
		if time.Now().After(deadline) || strings.Contains(e.log.String(), java.Args[0]+" ended: ") {
			t.Fatalf("the puppetserver does not run: %v\n%s", err, e.log)
		}
	}
}

// agent runs the real agent once.
func (e *estate) agent(t *testing.T) (out string, status int) {
	t.Helper()
	return e.run(t, "puppet", "agent", "-t", "--color=false", "--no-usecacheonfailure", "--server", "127.0.0.1", "--serverport", e.port,
		"--certname", agentName, "--confdir", e.dir+"/agent", "--ssldir", e.dir+"/agent/ssl", "--vardir", e.dir+"/agentvar", "--waitforlock", "0")
}

// said takes what several programs say.
type said struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// await waits until something was said, and returns the pattern's first group.
func (s *said) await(t *testing.T, patience time.Duration, pattern string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(s.String()); m != nil {
			return m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s was not said:\n%s", pattern, s)
		}
	}
}
