// Command ferret is a throw-away server that speaks MongoDB's wire protocol,
// for tests of the MongoDB store on machines without MongoDB.
//
//	$ go build -o ferret . && ./ferret < /dev/zero
//	mongodb://127.0.0.1:38117/
//
// It keeps its data in a temporary folder, prints its address on stdout, and
// ends when its standard input does, so that it can not outlive the test that
// started it. It is a module of its own because its libraries are many times
// those of the program it tests.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "ferret: %v\n", err)
		os.Exit(1)
	}
}

// run serves until in ends.
func run(in io.Reader, out io.Writer) error {
	dir, err := os.MkdirTemp("", "ferret")
	if err != nil {
		return fmt.Errorf("making a folder for the data: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // best effort: it is a temporary folder

	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/",
	})
	if err != nil {
		return fmt.Errorf("preparing the server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()

	at, err := url.Parse(server.MongoDBURI())
	if err != nil {
		return fmt.Errorf("reading the server's address: %w", err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer func() { _ = front.Close() }()
	go (&serial{server: at.Host}).serve(front)

	fmt.Fprintf(out, "mongodb://%s/\n", front.Addr())
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("waiting for the end of input: %w", err)
	}
	cancel()
	return <-done
}
