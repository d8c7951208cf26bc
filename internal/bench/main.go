//go:build linux

// Bench measures what the registry promises about speed and memory, with a fleet
// of usual nodes, and writes a table with the targets beside the figures:
//
//	go run ./internal/bench                      # all of it, half an hour
//	go run ./internal/bench -nodes 10000 -slim 0 # a quick look
//
// Figures are processor time of the whole process, garbage collection and all,
// unless they say otherwise: what passes on the wall is the machine's business.
// It needs the sources: it builds the server that it starts.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
)

// sizes say how much is measured.
type sizes struct {
	nodes   int // of the big fleet
	small   int // of the one whose memory is measured
	restart int // of the one that is restarted
	slim    int // small nodes; 0: none
	trials  int // of reading what was written
	seconds int // of queries under load

	profile string // file for profiles; empty: all is measured
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "storm" || len(os.Args) > 3 && os.Args[1] == "peer" {
		if err := otherwise(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var z sizes
	flag.IntVar(&z.nodes, "nodes", 100_000, "nodes of the big fleet")
	flag.IntVar(&z.small, "small", 5_000, "nodes of the server whose memory is measured")
	flag.IntVar(&z.restart, "restart", 3_000, "nodes of the server that is restarted; 0 with -small 0: no servers")
	flag.IntVar(&z.slim, "slim", 1_000_000, "small nodes; 0: none")
	flag.IntVar(&z.trials, "trials", 10_000, "registrations that are asked for at once")
	flag.IntVar(&z.seconds, "seconds", 20, "of queries under load")
	flag.StringVar(&z.profile, "profile", "", "file for processor profiles of registrations and of a restart (.load); nothing else is measured")
	out := flag.String("o", "", "file to write the table to, as Markdown")
	flag.Parse()

	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, z, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// otherwise is what this program does for itself in another process.
func otherwise(role []string) error {
	if role[0] == "storm" {
		return weather(os.Stdin, os.Stdout)
	}
	size, err := strconv.Atoi(role[2])
	if err != nil {
		return err
	}
	return peer(role[1], size, os.Stdin, os.Stdout)
}

func run(ctx context.Context, z sizes, out string) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	t := &table{sizes: z, out: out}
	t.yardstick()
	f, err := openFleet(ctx, filepath.Join(dir, "data"), z.nodes, t)
	if err != nil {
		return err
	}
	if z.profile != "" {
		return f.profiled(ctx, t)
	}
	for _, part := range []func(context.Context, *table) error{f.queries, f.registrations, f.readYourWrites, f.underLoad} {
		if err := part(ctx, t); err != nil {
			return err
		}
	}
	if err := f.close(); err != nil {
		return err
	}
	if z.small+z.restart > 0 {
		if err := servers(ctx, dir, z, t); err != nil {
			return err
		}
	}
	if err := slim(ctx, z.slim, t); err != nil {
		return err
	}
	return t.failed
}
