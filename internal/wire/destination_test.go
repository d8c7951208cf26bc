package wire_test

import (
	"maps"
	"regexp"
	"testing"
	"time"

	"muster/internal/wire"
)

// The names are those that MCollective 2.12.5 was seen to use.
func TestDestinations(t *testing.T) {
	for _, test := range []struct {
		connector                       wire.Connector
		broadcast, registration         string
		directed, inbox, selector       string
		directedHeaders, expiresHeaders map[string]string
	}{
		{
			connector:      wire.RabbitMQ,
			broadcast:      "/exchange/eu_broadcast/rpcutil",
			registration:   "/exchange/eu_broadcast/registration",
			directed:       "/exchange/eu_directed/web1.acme.net",
			inbox:          "/exchange/eu_directed/web1.acme.net",
			expiresHeaders: map[string]string{"expiration": "70000"},
		},
		{
			connector:       wire.ActiveMQ,
			broadcast:       "/topic/eu.rpcutil.agent",
			registration:    "/topic/eu.registration.agent",
			directed:        "/queue/eu.nodes",
			inbox:           "/queue/eu.nodes",
			selector:        "mc_identity = 'web1.acme.net'",
			directedHeaders: map[string]string{"mc_identity": "web1.acme.net"},
			expiresHeaders:  map[string]string{"timestamp": "1795780800000", "expires": "1795780870000", "mc_identity": "web1.acme.net"},
		},
	} {
		t.Run(string(test.connector), func(t *testing.T) {
			c, err := wire.ParseConnector(string(test.connector))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Broadcast("eu", "rpcutil"); got != test.broadcast {
				t.Errorf("broadcast: got %s, want %s", got, test.broadcast)
			}
			if got := c.Broadcast("eu", "registration"); got != test.registration {
				t.Errorf("registration: got %s, want %s", got, test.registration)
			}
			destination, headers := c.Directed("eu", "web1.acme.net")
			if destination != test.directed || !maps.Equal(headers, test.directedHeaders) {
				t.Errorf("directed: got %s %v, want %s %v", destination, headers, test.directed, test.directedHeaders)
			}
			inbox, selector := c.Inbox("eu", "web1.acme.net")
			if inbox != test.inbox || selector != test.selector {
				t.Errorf("inbox: got %s %q, want %s %q", inbox, selector, test.inbox, test.selector)
			}
			if got := c.Headers(time.Minute, noon, headers); !maps.Equal(got, test.expiresHeaders) {
				t.Errorf("headers: got %v, want %v", got, test.expiresHeaders)
			}
			if got := c.Headers(0, noon, nil); len(got) != 0 {
				t.Errorf("headers of what never expires: got %v", got)
			}
		})
	}
	if empty, err := wire.ParseConnector(""); err != nil || empty.Broadcast("eu", "x") != wire.RabbitMQ.Broadcast("eu", "x") {
		t.Errorf("no connector: got %q, %v", empty, err)
	}
	if _, err := wire.ParseConnector("kafka"); err == nil {
		t.Error("kafka is a connector")
	}
}

func TestReplyCanNotBeGuessed(t *testing.T) {
	form := regexp.MustCompile(`^/topic/eu\.muster\.reply\.[0-9a-f]{32}$`)
	seen := make(map[string]bool)
	for range 100 {
		reply := wire.RabbitMQ.Reply("eu")
		if !form.MatchString(reply) || seen[reply] {
			t.Fatalf("got %s, seen before: %t", reply, seen[reply])
		}
		seen[reply] = true
	}
}
