package facts

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// amount writes bytes as Facter does: "23.54 GiB".
func amount(bytes uint64) string {
	if bytes < 1024 {
		return strconv.FormatUint(bytes, 10) + " bytes"
	}
	value := float64(bytes)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		value /= 1024
		if math.Round(value*100)/100 < 1024 || unit == "EiB" {
			return fmt.Sprintf("%.2f %s", value, unit)
		}
	}
	return ""
}

func percent(part, whole uint64) string {
	switch {
	case whole == 0 || part == whole:
		return "100%"
	case part == 0:
		return "0%"
	}
	return fmt.Sprintf("%.2f%%", float64(part)/float64(whole)*100)
}

// sizes is the text and the bytes of what is available, used, and there in all.
func sizes(whole string, total, available, used uint64) map[string]any {
	return map[string]any{
		whole: amount(total), whole + "_bytes": total,
		"available": amount(available), "available_bytes": available,
		"used": amount(used), "used_bytes": used,
		"capacity": percent(used, total),
	}
}

func memory(ctx context.Context) map[string]any {
	m := map[string]any{}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil && v.Total >= v.Available {
		m["system"] = sizes("total", v.Total, v.Available, v.Total-v.Available)
	}
	if s, err := mem.SwapMemoryWithContext(ctx); err == nil && s.Total > 0 {
		m["swap"] = sizes("total", s.Total, s.Free, s.Used)
	}
	return m
}

func processors(ctx context.Context) map[string]any {
	p := map[string]any{"count": runtime.NumCPU(), "isa": isa(runtime.GOARCH)}
	infos, err := cpu.InfoWithContext(ctx)
	if err != nil || len(infos) == 0 {
		return p
	}
	models, sockets := []any{}, map[string]bool{}
	for _, i := range infos {
		sockets[i.PhysicalID] = true
		models = append(models, i.ModelName)
	}
	p["models"], p["physicalcount"] = models, len(sockets)
	if mhz := infos[0].Mhz; mhz >= 1000 {
		p["speed"] = fmt.Sprintf("%.2f GHz", mhz/1000)
	} else if mhz > 0 {
		p["speed"] = fmt.Sprintf("%.2f MHz", mhz)
	}
	if cores, err := cpu.CountsWithContext(ctx, false); err == nil && cores > 0 {
		p["cores"] = max(1, cores/len(sockets)) // of one socket
		p["threads"] = max(1, runtime.NumCPU()/cores)
	}
	return p
}

func isa(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return goarch
}

func mountpoints(ctx context.Context) map[string]any {
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil
	}
	mounts := map[string]any{}
	for _, p := range parts {
		use, err := disk.UsageWithContext(ctx, p.Mountpoint)
		if err != nil {
			continue
		}
		m := sizes("size", use.Total, use.Free, use.Used)
		m["capacity"] = percent(use.Used, use.Used+use.Free) // as df counts, without what is reserved for root
		m["device"], m["filesystem"] = p.Device, p.Fstype
		options := []any{}
		for _, o := range p.Opts {
			options = append(options, o)
		}
		m["options"] = options
		mounts[p.Mountpoint] = m
	}
	return mounts
}

// disks reads what Linux says of its block devices; elsewhere there are none.
func disks() map[string]any {
	found := map[string]any{}
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		dir := filepath.Join("/sys/block", e.Name())
		if !exists(filepath.Join(dir, "device")) {
			continue // loop, ram, device mapper
		}
		d := map[string]any{}
		if sectors, err := strconv.ParseUint(line(dir, "size"), 10, 64); err == nil {
			d["size"], d["size_bytes"] = amount(sectors*512), sectors*512
		}
		switch line(dir, "queue/rotational") {
		case "0":
			d["type"] = "ssd"
		case "1":
			d["type"] = "hdd"
		}
		for _, name := range []string{"model", "vendor", "serial"} {
			if text := line(dir, "device/"+name); text != "" {
				d[name] = text
			}
		}
		found[e.Name()] = d
	}
	return found
}

// line is the trimmed content of a small file; empty if it can not be read.
func line(elem ...string) string {
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// putLinux adds the small facts that only Linux has.
func putLinux(all map[string]any) {
	if runtime.GOOS != "linux" {
		return
	}
	all["fips_enabled"] = line("/proc/sys/crypto/fips_enabled") == "1"
	var names []string
	for row := range strings.Lines(line("/proc/filesystems")) {
		if name := strings.TrimSpace(row); !strings.HasPrefix(name, "nodev") && name != "" && name != "fuseblk" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if names != nil {
		all["filesystems"] = strings.Join(names, ",")
	}
}
