//go:build unix

package cli_test

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// limitDisk lets no file be written, as on a full disk and worse, until SIGUSR1
// comes, in a process that the test of full disks has started. A limit on the
// size of files needs no rights.
func limitDisk() {
	if os.Getenv("MUSTER_TEST_DISK") != "full" {
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free)
	full := free
	full.Cur = 0
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "limiting the size of files:", err)
		os.Exit(1)
	}
	room := make(chan os.Signal, 1)
	signal.Notify(room, syscall.SIGUSR1)
	go func() {
		<-room
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
			fmt.Fprintln(os.Stderr, "making room:", err)
		}
	}()
}
