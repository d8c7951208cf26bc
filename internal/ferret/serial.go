package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// serial stands in front of the server and lets one request at a time through.
// FerretDB looks for the document of an update and then writes it, in two
// steps: of two clients who change a document on a condition both may succeed.
// MongoDB promises that one does.
type serial struct {
	server string // host:port
	mu     sync.Mutex
}

// serve accepts clients until the listener is closed.
func (s *serial) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go s.pass(client)
	}
}

// pass hands on what a client asks, until it or the server goes away.
func (s *serial) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", s.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		answer, err := s.ask(server, request)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func (s *serial) ask(server net.Conn, request []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return readMessage(server)
}

// maxMessage is the length of the longest message of MongoDB's wire protocol.
const maxMessage = 48_000_000

// readMessage reads a message, which begins with its length.
func readMessage(from io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n < 4 || n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	message := make([]byte, n)
	copy(message, length[:])
	_, err := io.ReadFull(from, message[4:])
	return message, err
}
