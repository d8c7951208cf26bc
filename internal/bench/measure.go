//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // it does not fail for the process itself
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// figure is what something costs, each time.
type figure struct {
	cpu, wall time.Duration // medians
	allocs    float64
}

// measured runs op in batches of at least ten milliseconds, and takes the median
// batch. The garbage of before is collected first: with a large heap that takes
// longer than all batches.
func measured(op func()) figure {
	const batches = 9
	runtime.GC()
	n := 1
	for {
		start := cpu()
		for range n {
			op()
		}
		if spent := cpu() - start; spent >= 10*time.Millisecond {
			break
		}
		n *= 2
	}
	var cpus, walls []time.Duration
	before := allocations()
	for range batches {
		start, at := cpu(), time.Now()
		for range n {
			op()
		}
		cpus = append(cpus, (cpu()-start)/time.Duration(n))
		walls = append(walls, time.Since(at)/time.Duration(n))
	}
	return figure{median(cpus), median(walls), float64(allocations()-before) / float64(n*batches)}
}

// once measures a number of operations that are done together, one time.
func once(n int, all func() error) (figure, error) {
	runtime.GC()
	before, start, at := allocations(), cpu(), time.Now()
	err := all()
	return figure{(cpu() - start) / time.Duration(n), time.Since(at) / time.Duration(n), float64(allocations()-before) / float64(n)}, err
}

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// heap is the memory that is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func median[T time.Duration | float64](all []T) T { return percentile(all, 50) }

func percentile[T time.Duration | float64](all []T, p int) T {
	if len(all) == 0 {
		return 0
	}
	all = slices.Clone(all)
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)]
}

// resident is the memory that a process holds, in bytes, and the processor time
// that it has used.
func resident(pid int) (bytes int64, used time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0, 0, err
			}
			bytes = kb << 10
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, ticks := range fields[11:13] { // utime and stime, of which there are 100 a second
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return bytes, used, nil
}

// profiled writes a processor profile of do to a file.
func profiled(file string, do func() error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}
