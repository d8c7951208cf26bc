//go:build unix

package rabbittest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a running RabbitMQ.
type Server struct {
	URI             string // stomp://127.0.0.1:PORT, without the virtual host
	Login, Passcode string // may do everything
	Vhost           string // "/mcollective"

	t       testing.TB
	dir     string
	ports   ports
	command *exec.Cmd
	exited  chan struct{}
}

type ports struct{ stomp, amqp, distribution, epmd string }

// The script that does not change user; /usr/sbin has one that does.
const script = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// Start runs RabbitMQ until the test ends, with the exchanges C_broadcast and
// C_directed of every collective C, and mcollective_reply.
func Start(t testing.TB, collectives ...string) *Server {
	t.Helper()
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("RabbitMQ is not installed (apt-get install rabbitmq-server): %v", err)
	}
	free := freePorts(t, 4)
	s := &Server{
		URI: "stomp://127.0.0.1:" + free[0], Login: "mcollective", Passcode: "marionette", Vhost: "/mcollective",
		t: t, dir: t.TempDir(), ports: ports{free[0], free[1], free[2], free[3]},
	}
	s.configure(collectives)
	t.Cleanup(s.Stop)
	s.Resume()
	return s
}

// freePorts returns ports that were free a moment ago.
func freePorts(t testing.TB, n int) (all []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, port)
	}
	return all
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) configure(collectives []string) {
	s.t.Helper()
	s.write("rabbitmq.conf", fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%s
stomp.listeners.tcp.1 = 127.0.0.1:%s
loopback_users = none
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
load_definitions = %s
`, s.ports.amqp, s.ports.stomp, s.path("definitions.json")))
	s.write("enabled_plugins", "[rabbitmq_stomp].\n")

	type object map[string]any
	exchange := func(name, kind string) object {
		return object{"name": name, "vhost": s.Vhost, "type": kind, "durable": true, "auto_delete": false, "internal": false, "arguments": object{}}
	}
	exchanges := []object{exchange("mcollective_reply", "direct")}
	for _, c := range collectives {
		exchanges = append(exchanges, exchange(c+"_broadcast", "topic"), exchange(c+"_directed", "direct"))
	}
	definitions, err := json.Marshal(object{
		"vhosts":      []object{{"name": s.Vhost}},
		"users":       []object{{"name": s.Login, "password": s.Passcode, "tags": ""}},
		"permissions": []object{{"user": s.Login, "vhost": s.Vhost, "configure": ".*", "write": ".*", "read": ".*"}},
		"exchanges":   exchanges,
		"queues":      []object{}, "bindings": []object{}, "parameters": []object{}, "policies": []object{},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("definitions.json", string(definitions))
}

func (s *Server) environment() []string {
	return append(os.Environ(),
		"HOME="+s.dir,
		"RABBITMQ_NODENAME=muster"+s.ports.amqp+"@localhost",
		"RABBITMQ_CONFIG_FILE="+s.path("rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+s.path("enabled_plugins"),
		"RABBITMQ_MNESIA_BASE="+s.path("mnesia"),
		"RABBITMQ_LOG_BASE="+s.path("log"),
		"RABBITMQ_DIST_PORT="+s.ports.distribution,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT="+s.ports.epmd,
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
	)
}

// Resume runs the server again after Stop, on the same ports and with what it
// had stored, and returns when it listens.
func (s *Server) Resume() {
	s.t.Helper()
	output, err := os.Create(s.path("output"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer output.Close()
	s.command = exec.Command(script)
	s.command.Env = s.environment()
	s.command.Stdout, s.command.Stderr = output, output
	// A group of its own, so that the processes it starts can be ended with it.
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	command, exited := s.command, make(chan struct{})
	s.exited = exited
	go func() {
		_ = command.Wait() // how it ended is in its output
		close(exited)
	}()
	if err := s.await(2 * time.Minute); err != nil {
		s.t.Fatalf("RabbitMQ did not start: %v\n%s", err, s.said())
	}
}

func (s *Server) await(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.ports.stomp)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return errors.New("it ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// said is the end of what the server printed.
func (s *Server) said() string {
	text, err := os.ReadFile(s.path("output"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// Stop ends the server and the port mapper that it started. Stopping twice is
// no mistake.
func (s *Server) Stop() {
	if s.command == nil {
		return
	}
	group := -s.command.Process.Pid
	s.command = nil
	_ = syscall.Kill(group, syscall.SIGTERM) // it may have ended
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-s.exited
	}
	mapper := exec.Command("epmd", "-port", s.ports.epmd, "-kill")
	mapper.Env = s.environment()
	if out, err := mapper.CombinedOutput(); err != nil {
		s.t.Logf("ending RabbitMQ's port mapper: %v: %s", err, out)
	}
}
