package wire

import "strings"

type Connector string

const (
	RabbitMQ Connector = "rabbitmq"
	ActiveMQ Connector = "activemq"
)

func (c Connector) Broadcast(collective, agent string) string {
	return "/exchange/" + collective + "_broadcast/" + agent
}
func (c Connector) Directed(collective, identity string) (string, map[string]string) {
	return "/exchange/" + collective + "_directed/" + identity, nil
}
func (c Connector) Inbox(collective, identity string) (string, string) {
	return "/exchange/" + collective + "_directed/" + identity, ""
}
func (c Connector) Reply(collective string) string {
	return "/topic/" + collective + ".muster.reply." + strings.ToLower(NewRequestID())
}

type Counter struct{ N uint64 }

func (c *Counter) Next() (uint64, error) { c.N++; return c.N, nil }
