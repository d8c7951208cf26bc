package bus

import (
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
)

// Every role, verb and kind of destination. The letters of a row are those who
// may: Node, Legacy, Client, Registry.
func TestRights(t *testing.T) {
	for _, c := range []struct{ destination, send, subscribe string }{
		{"/exchange/mcollective_directed/web1.acme.net", "CR", "NLR"},
		{"/exchange/mcollective_directed/WEB1.acme.net", "CR", "NLR"},
		{"/exchange/mcollective_directed/db1.acme.net", "CR", "LR"},
		{"/exchange/mcollective_directed/web1.acme.net.evil", "CR", "LR"},
		{"/exchange/mcollective_directed/#", "R", "R"},
		{"/exchange/mcollective_directed/*.acme.net", "R", "R"},
		{"/exchange/mcollective_directed", "R", "R"},
		{"/exchange/uk_directed/web1.acme.net", "CR", "NLR"},
		{"/exchange/mcollective_broadcast/rpcutil", "CR", "NLR"},
		{"/exchange/mcollective_broadcast/discovery", "CR", "NLR"},
		{"/exchange/mcollective_broadcast/registration", "NLR", "R"},
		{"/exchange/uk_broadcast/registration", "NLR", "R"},
		{"/exchange/mcollective_broadcast/#", "R", "R"},
		{"/exchange/mcollective_broadcast/*", "R", "R"},
		{"/exchange/mcollective_broadcast/reg*", "R", "R"},
		{"/exchange/mcollective_broadcast", "LCR", "LR"},
		{"/exchange/mcollective_reply/client_1_1", "NLR", "CR"},
		{"/exchange/other/key", "R", "R"},
		{"/exchange/amq.topic/mcollective.muster.reply.0123", "R", "R"},
		{"/topic/mcollective.muster.reply.0123", "NLR", "NCR"},
		{"/topic/mcollective.muster.reply.*", "R", "R"},
		{"/topic/*.muster.reply.0123", "R", "R"},
		{"/topic/mcollective.muster.reply.", "R", "R"},
		{"/topic/mcollective.#", "R", "R"},
		{"/topic/mcollective.rpcutil.agent", "CR", "NLR"},
		{"/topic/mcollective.registration.agent", "NLR", "R"},
		{"/topic/mcollective.*.agent", "R", "R"},
		{"/topic/mcollective.agents", "LCR", "LR"},
		{"/topic/elsewhere", "R", "R"},
		{"/queue/mcollective.nodes", "CR", "LR"},
		{"/queue/mcollective.reply.client_1.1", "NLR", "CR"},
		{"/queue/mcollective.reply.", "R", "R"},
		{"/queue/elsewhere", "R", "R"},
		{"/reply-queue/amq.gen-ABC", "NLR", ""},
	} {
		d, err := parseDestination(c.destination)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []Role{0, RoleNode, RoleLegacy, RoleClient, RoleRegistry, 99} {
			who := Principal{Role: r, Name: "web1.acme.net"}
			letter := map[Role]string{RoleNode: "N", RoleLegacy: "L", RoleClient: "C", RoleRegistry: "R"}[r]
			for verb, want := range map[string]bool{
				"send":      letter != "" && strings.Contains(c.send, letter),
				"subscribe": letter != "" && strings.Contains(c.subscribe, letter),
			} {
				granted := maySend(r)
				if verb == "subscribe" {
					granted = maySubscribe(r)
				}
				if got := placeOf(who, d)&granted != 0; got != want {
					t.Errorf("a %s may %s %s: %v, want %v", r, verb, c.destination, got, want)
				}
			}
		}
	}
}

// The table is asked for every frame: one right and one wrong over the wire.
func TestRightsOverTheWire(t *testing.T) {
	address, _ := start(t, &Broker{})
	r := login(t, address, "node")
	r.send("SUBSCRIBE\ndestination:/exchange/mcollective_directed/web1.acme.net\n\n\x00")
	r.sync()
	r.send("SUBSCRIBE\ndestination:/exchange/mcollective_broadcast/registration\n\n\x00")
	r.refused("a node may not subscribe to /exchange/mcollective_broadcast/registration")

	r = login(t, address, "client")
	r.send("SEND\ndestination:/exchange/mcollective_broadcast/rpcutil\nreceipt:1\n\n\x00")
	r.want(frame.RECEIPT, "")
	r.send("SEND\ndestination:/exchange/mcollective_broadcast/registration\n\n\x00")
	r.refused("a client may not send to /exchange/mcollective_broadcast/registration")
}

// A node without a name of its own has no inbox, and no empty one either.
func TestNamelessNodeHasNoInbox(t *testing.T) {
	for _, destination := range []string{"/exchange/mcollective_directed/", "/exchange/mcollective_directed/web1"} {
		d, err := parseDestination(destination)
		if err != nil {
			t.Fatal(err)
		}
		if placeOf(Principal{Role: RoleNode}, d)&maySubscribe(RoleNode) != 0 {
			t.Errorf("a nameless node may subscribe to %s", destination)
		}
	}
}
