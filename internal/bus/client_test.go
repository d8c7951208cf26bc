package bus

import (
	"testing"
)

func TestPublishAndSubscribe(t *testing.T) {
	address, _ := start(t, &Broker{})
	registry, node := run(t, address, "registry"), run(t, address, "node")
	const destination = "/exchange/mcollective_broadcast/registration"
	got := listen(t, registry, Subscription{Destination: destination, AckEach: true})

	publish(t, node, Message{
		Destination: destination, ReplyTo: "/topic/mcollective.muster.reply.1",
		Headers: map[string]string{"mc_sender": "web1:acme\\net"}, Body: []byte("a\x00b"),
	})
	d := next(t, got)
	if d.Destination != destination || d.ReplyTo != "/topic/mcollective.muster.reply.1" ||
		d.Headers["mc_sender"] != `web1:acme\net` || string(d.Body) != "a\x00b" {
		t.Errorf("delivered %+v", d)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
}
