// Package rabbittest runs a real RabbitMQ with its STOMP plugin for tests.
//
//	server := rabbittest.Start(t, "mcollective", "uk")
//	client := bus.NewClient(bus.Config{
//		Brokers: []string{server.URI}, Login: server.Login, Passcode: server.Passcode, Vhost: server.Vhost,
//	})
//
// It needs the package rabbitmq-server of Debian or Ubuntu, and neither root
// nor systemd: all it writes is in the test's temporary folder, all it listens
// on is loopback, on free ports. A missing package fails the test.
package rabbittest
