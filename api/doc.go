// Package api answers over HTTP: who is asked for with /v1/search, and what
// nodes say with /v1/registrations.
//
//	server, err := api.New(api.Config{Registry: r, Open: true})
//	...
//	err = server.Serve(ctx, listener)
//
//	$ curl -G 127.0.0.1:8280/v1/search --data-urlencode 'q=customer=acme mysql::master'
//	{"count":1,"total":1,"complete":true,"oldest":"2026-11-27T15:42:20Z","warnings":[],"nodes":["db1.acme.net"]}
//
// Every route is a row of one table, which names the roles it serves; all else
// is refused. Whatever goes wrong is answered with a status of 400 or above
// and {"error":{"code","message",…}}, never with an empty list.
package api
