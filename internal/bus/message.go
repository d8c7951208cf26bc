// Package bus moves bytes over STOMP: a client that reconnects, and the
// embedded broker.
//
//	client := bus.NewClient(bus.Config{Brokers: []string{"stomp://127.0.0.1:61613"}})
//	go client.Run(ctx)
//	err := client.Publish(ctx, bus.Message{Destination: "/exchange/mcollective_broadcast/registration", Body: sealed})
//
// It never looks into a body.
//
// The broker speaks STOMP 1.0 to 1.2 with RabbitMQ's and ActiveMQ's names for
// destinations, and lets everybody do what their [Role] may:
//
//	broker := &bus.Broker{Authenticate: func(c bus.Credentials) (bus.Principal, error) { … }}
//	err := broker.Serve(ctx, listener)
//
// A message may arrive twice and is lost only with the machine that held it:
// [Client.Publish] returns nil once a broker has it, and what a subscription
// with AckEach has not acknowledged comes again. No client can make the broker
// hold more than its [Limits], or slow down another by not reading; no broker
// can make the client hold more than its [Config] says.
package bus

// Message is what is published: a body, where it goes and where an answer may go.
type Message struct {
	Destination string
	ReplyTo     string            // empty: no answer is wanted
	Headers     map[string]string // further STOMP headers, such as mc_sender
	Body        []byte
}

// Delivery is a message that a subscription received.
type Delivery struct {
	Message

	// Ack tells the broker that the message was dealt with. It must be called
	// once for a subscription made with AckEach, and is a no-op otherwise.
	Ack func() error
}
