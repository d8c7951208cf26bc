package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/api"
	"muster/internal/pki"
	"muster/registry"
)

// counting counts how often a registry is asked.
type counting struct {
	*registry.Registry

	finds int
}

func (c *counting) Find(ctx context.Context, d registry.Discovery) (registry.Answer, error) {
	c.finds++
	return c.Registry.Find(ctx, d)
}

// Whoever asks again gets what a server says that was never asked before, whatever
// happened meanwhile, and whatever others may see; and the registry is asked less.
func TestAnAnswerGivenAgainIsTheAnswer(t *testing.T) {
	root := t.TempDir()
	asked, found := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(root, "") // the file of tokens stays small
		if err != nil {
			t.Fatal(err)
		}
		var counted *counting
		var conf api.Config
		w := newWorld(t, dir, func(c *api.Config) {
			counted = &counting{Registry: c.Registry.(*registry.Registry)}
			c.Secret = func(string) bool { return false } // what is usual takes long to make ready
			c.Registry, conf = counted, *c
		})
		defer w.close(t)
		readers := []http.Header{
			w.grant(t, api.Admin, api.Grant{}), w.grant(t, api.Reader, api.Grant{}),
			w.grant(t, api.Reader, api.Grant{Scope: registry.Scope{Facts: []string{"role", "n"}}}), w.grant(t, api.Reader, api.Grant{Scope: registry.Scope{Collectives: []string{"eu"}}}),
		}
		few := rapid.IntRange(0, 2)
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			switch few.Draw(t, "what") {
			case 0:
				w.at = w.at.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 4 * time.Hour, 6 * 24 * time.Hour}).Draw(t, "later"))
			case 1:
				w.tell(t, registry.Registration{
					Identity: fmt.Sprint("n", few.Draw(t, "node")), Classes: []string{"base"}, Collectives: []string{rapid.SampledFrom([]string{"eu", "us"}).Draw(t, "collective")},
					Facts: map[string]any{"role": rapid.SampledFrom([]string{"web", "db"}).Draw(t, "role"), "n": int64(few.Draw(t, "n")), fmt.Sprint("x", few.Draw(t, "x")): "1"},
				})
			}
			for range 2 {
				q := rapid.SampledFrom([]string{
					"q=role=web", "q=role=web&limit=1", "q=n=1", "q=not+n=1&state=any", "q=x1=1&unknown=error", "q=x1=1", "q=role=web&fields=n,x1,seen", "q=class=base&sort=-n",
					"q=state=stale", "q=lastseen<2h", "collective=eu", "q=role=web&format=text", "q=role=web+|+group+by+n", "q=nonsense((", "ask={\"q\":\"role=?\",\"param\":[\"web\"]}", "",
				}).Draw(t, "question")
				for _, head := range readers {
					fresh, err := api.New(conf)
					if err != nil {
						t.Fatal(err)
					}
					before := counted.finds
					got := w.get(t, "/v1/search?"+strings.ReplaceAll(q, "\"", "%22"), head)
					asked, found = asked+1, found+counted.finds-before
					other := *w
					other.Server = fresh
					if want := other.get(t, "/v1/search?"+strings.ReplaceAll(q, "\"", "%22"), head); got != want {
						t.Fatalf("%s is answered\n%s\nwant\n%s", q, got, want)
					}
				}
			}
		}
	})
	if found > asked*19/20 {
		t.Errorf("of %d questions the registry was asked %d", asked, found)
	}
}

// That a connection is known does not help who may not use it any more.
func TestARevokedCertificateIsTurnedAwayOnItsOpenConnection(t *testing.T) {
	s := newSite(t)
	cert := s.client(t, pki.Grant{Name: "puppet1", Role: pki.RoleOperator})
	url := s.serveTLS(t, api.Config{Registry: &fake{nodes: fleet()}, Revoked: s.IsRevoked})
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: s.Roots(), Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i, want := range []int{200, 200, 401, 401} {
		if i == 2 {
			if _, err := s.Revoke("puppet1"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.WriteString(conn, "GET /v1/search HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("request %d is answered %d, want %d", i, res.StatusCode, want)
		}
	}
}
