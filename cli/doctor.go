package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/internal/pki"
)

// finding is what the doctor says of one thing.
type finding struct {
	word string // ok, weak, warn or bad
	what string
	text string
}

// Limits beyond which the doctor is worried.
const (
	soonEnds       = 30 * 24 * time.Hour // of a certificate
	clockTolerance = 30 * time.Second
)

func (a *app) doctorCommand() *cobra.Command {
	var security bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "what is wrong here, or weaker than it could be", Args: exactly(0, "no arguments"),
		Long: `It looks at the settings of this host: what they weaken and why, whether the server and the brokers are reached, when certificates end,
and whether clocks agree. The status is 1 if something is bad.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.doctor(cmd.Context(), security)
		},
	}
	cmd.Flags().BoolVar(&security, "security", false, "only what the settings weaken")
	return cmd
}

func (a *app) doctor(ctx context.Context, security bool) error {
	c, err := a.loadConfig()
	if err != nil {
		return err
	}
	list := weakFindings(c)
	if !security {
		list = append(list, a.serverFindings(ctx)...)
		list = append(list, a.certificateFindings(c)...)
		list = append(list, a.brokerFindings(ctx, c)...)
	}
	bad := 0
	for _, f := range list {
		fmt.Fprintf(a.out, "%-4s  %s: %s\n", f.word, f.what, printable(f.text))
		if f.word == "bad" {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%s wrong", plural(bad, "thing is", "things are"))
	}
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}

func weakFindings(c config) (list []finding) {
	for _, w := range c.weaknesses() {
		list = append(list, finding{"weak", w.name, w.why})
	}
	if list == nil {
		list = append(list, finding{"ok", "settings", "nothing is weakened"})
	}
	return list
}

// serverFindings ask each server for its readiness, its clock and its certificate.
func (a *app) serverFindings(ctx context.Context) (list []finding) {
	client, err := a.newClient()
	if err != nil {
		return []finding{{"bad", "server", err.Error()}}
	}
	for _, server := range client.servers {
		list = append(list, a.serverFinding(ctx, client.http, server)...)
	}
	return list
}

func (a *app) serverFinding(ctx context.Context, client *http.Client, server string) []finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+"/readyz", nil)
	if err != nil {
		return []finding{{"bad", server, err.Error()}}
	}
	began := a.env.Now()
	answer, err := client.Do(request)
	if err != nil {
		return []finding{{"bad", server, "it is not reached: " + plainNetError(err)}}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return []finding{{"bad", server, "it breaks off: " + plainNetError(err)}}
	}
	ready := finding{"ok", server, "it is ready"}
	if answer.StatusCode != http.StatusOK {
		ready = finding{"bad", server, refusalOf(server, answer.StatusCode, text).Error()}
	}
	list := []finding{ready}
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		list = append(list, clockFinding(server, at.Sub(began)))
	}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		list = append(list, a.endFinding("certificate of "+server, answer.TLS.PeerCertificates[0]))
	}
	return list
}

func clockFinding(server string, ahead time.Duration) finding {
	if ahead.Abs() <= clockTolerance {
		return finding{"ok", "clock", "it agrees with that of " + server}
	}
	word := "ahead of"
	if ahead > 0 {
		word = "behind"
	}
	return finding{"warn", "clock", fmt.Sprintf("it is %v %s that of %s", ahead.Abs().Round(time.Second), word, server)}
}

func (a *app) endFinding(what string, cert *x509.Certificate) finding {
	left := cert.NotAfter.Sub(a.env.Now())
	text := "ends at " + cert.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case left <= 0:
		return finding{"bad", what, strings.Replace(text, "ends", "ended", 1)}
	case left < soonEnds:
		return finding{"warn", what, text}
	}
	return finding{"ok", what, text}
}

// certificateFindings look at the certificates that lie on this host.
func (a *app) certificateFindings(c config) (list []finding) {
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			list = append(list, finding{"bad", "certificate " + c.CertFile, err.Error()})
		} else {
			list = append(list, a.endFinding("certificate "+c.CertFile, pair.Leaf))
		}
	}
	folders := []string{a.dataDir(c, "agent"), filepath.Join(a.dataDir(c, "serve"), "registry"), filepath.Join(a.dataDir(c, "serve"), "operator")}
	for _, dir := range append(folders, c.OperatorDir) {
		if dir == "" {
			continue
		}
		pair, err := pki.LoadKeyPair(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		case err != nil:
			list = append(list, finding{"bad", "certificate in " + dir, err.Error()})
		default:
			list = append(list, a.endFinding("certificate in "+dir, pair.Chain[0]))
		}
	}
	for _, dir := range []string{c.Agent.Puppet, c.Serve.Puppet} {
		if dir == "" {
			continue
		}
		pair, err := pki.LoadPuppet(dir, "")
		if err != nil {
			list = append(list, finding{"bad", "Puppet's certificate", err.Error()})
			continue
		}
		list = append(list, a.endFinding("Puppet's certificate in "+dir, pair.Chain[0]))
	}
	return list
}

// brokerFindings try whether the brokers take connections.
func (a *app) brokerFindings(ctx context.Context, c config) (list []finding) {
	brokers := c.Brokers
	if running, err := a.env.readRunFile(); err == nil && running != nil && len(brokers) == 0 {
		brokers = running.Brokers
	}
	for _, broker := range brokers {
		u, err := url.Parse(broker)
		if err != nil {
			list = append(list, finding{"bad", "broker", err.Error()})
			continue
		}
		dialer := net.Dialer{Timeout: 5 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			list = append(list, finding{"bad", "broker " + broker, "it is not reached: " + plainNetError(err)})
			continue
		}
		_ = conn.Close()
		list = append(list, finding{"ok", "broker " + broker, "it takes connections"})
	}
	if len(brokers) == 0 {
		if _, err := os.Stat(a.dataDir(c, "agent")); err != nil {
			list = append(list, finding{"warn", "broker", "none is named, and no server of this user runs here"})
		}
	}
	return list
}
