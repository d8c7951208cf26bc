// Package systemd tells the service manager how the process is, as sd_notify(3)
// has it: that it is ready, that it lives, that it ends.
//
//	m := systemd.Manager(os.Getenv)
//	err := m.Run(ctx, ready, well)
//
// Without a service manager nothing is told.
package systemd

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Notifier tells a service manager.
type Notifier struct {
	socket   string        // empty: there is none
	watchdog time.Duration // within which it wants a sign of life; 0: it does not
}

// Manager is the service manager that started this process, if one did: its
// socket is in NOTIFY_SOCKET, and how often it wants a sign of life in
// WATCHDOG_USEC.
func Manager(getenv func(string) string) Notifier {
	n := Notifier{socket: getenv("NOTIFY_SOCKET")}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Run tells that the process is ready once ready returns nil, that it lives as
// long as well does, twice as often as wanted, and at last, when ctx is done,
// that it ends. The error is that of ready, or of the socket.
func (n Notifier) Run(ctx context.Context, ready, well func(context.Context) error) error {
	if n.socket == "" {
		return nil
	}
	if err := ready(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := n.tell("READY=1"); err != nil {
		return err
	}
	beat := make(<-chan time.Time)
	if n.watchdog > 0 {
		tick := time.NewTicker(n.watchdog / 2)
		defer tick.Stop()
		beat = tick.C
	}
	for {
		select {
		case <-beat:
			n.sign(ctx, well)
		case <-ctx.Done():
			return n.tell("STOPPING=1")
		}
	}
}

// sign gives a sign of life, if there is life. Without it the manager starts
// the process anew, which is what it is for.
func (n Notifier) sign(ctx context.Context, well func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, n.watchdog/4)
	defer cancel()
	if well(ctx) == nil {
		_ = n.tell("WATCHDOG=1") // the next sign may get through
	}
}

func (n Notifier) tell(state string) error {
	conn, err := net.Dial("unixgram", n.socket)
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	return nil
}
