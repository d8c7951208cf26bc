package facts

import (
	"context"
	"encoding/json"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
)

// Own collects the machine's facts without Facter, in the shape and with the
// names and units of Facter 4. A fact that can not be had is left out.
func Own(ctx context.Context) map[string]any {
	all := map[string]any{
		"path":       os.Getenv("PATH"),
		"networking": networking(ctx),
		"memory":     memory(ctx),
		"processors": processors(ctx),
	}
	if zone, _ := time.Now().Zone(); zone != "" {
		all["timezone"] = zone
	}
	if info, err := host.InfoWithContext(ctx); err == nil {
		putKernel(all, info)
		all["os"] = osFacts(info)
		all["virtual"], all["is_virtual"] = virtual(info)
		all["system_uptime"] = uptime(info.Uptime)
	}
	if avg, err := load.AvgWithContext(ctx); err == nil {
		all["load_averages"] = map[string]any{"1m": avg.Load1, "5m": avg.Load5, "15m": avg.Load15}
	}
	putMap(all, "mountpoints", mountpoints(ctx))
	putMap(all, "disks", disks())
	putMap(all, "ssh", sshKeys(sshFolders))
	putMap(all, "identity", identity())
	putLinux(all)
	return asJSON(all)
}

// asJSON gives the values the types that the package promises.
func asJSON(all map[string]any) map[string]any {
	text, err := json.Marshal(all)
	if err != nil {
		panic("facts: our own facts are not JSON: " + err.Error()) // they hold plain values only
	}
	read, err := parseJSON(text)
	if err != nil {
		panic("facts: our own facts do not read back: " + err.Error())
	}
	return read
}

// putMap adds a fact unless nothing is in it.
func putMap(all map[string]any, name string, fact map[string]any) {
	if len(fact) > 0 {
		all[name] = fact
	}
}

var reVersion = regexp.MustCompile(`^\d+(\.\d+)*`)

func putKernel(all map[string]any, info *host.InfoStat) {
	name := map[string]string{"linux": "Linux", "darwin": "Darwin", "freebsd": "FreeBSD"}[info.OS]
	if name == "" {
		name = info.OS
	}
	version := reVersion.FindString(info.KernelVersion)
	major, rest, _ := strings.Cut(version, ".")
	if minor, _, _ := strings.Cut(rest, "."); minor != "" && info.OS != "darwin" {
		major += "." + minor
	}
	all["kernel"], all["kernelrelease"], all["kernelversion"], all["kernelmajversion"] = name, info.KernelVersion, version, major
}

// virtual names what the machine runs in, "physical" if in nothing.
func virtual(info *host.InfoStat) (string, bool) {
	if info.VirtualizationRole != "guest" || info.VirtualizationSystem == "" {
		return "physical", false
	}
	return info.VirtualizationSystem, true
}

func uptime(seconds uint64) map[string]any {
	days, hours := seconds/86400, seconds/3600
	text := strconv.FormatUint(days, 10) + " days"
	switch days {
	case 0:
		minutes := seconds / 60 % 60
		text = strconv.FormatUint(hours, 10) + ":" + strconv.FormatUint(100+minutes, 10)[1:] + " hours"
	case 1:
		text = "1 day"
	}
	return map[string]any{"days": days, "hours": hours, "seconds": seconds, "uptime": text}
}

// identity is who collects; numbers where the system has them.
func identity() map[string]any {
	u, err := user.Current()
	if err != nil {
		return nil
	}
	id := map[string]any{"user": u.Username, "privileged": os.Geteuid() == 0}
	if n, err := strconv.Atoi(u.Uid); err == nil {
		id["uid"] = n
	}
	if n, err := strconv.Atoi(u.Gid); err == nil {
		id["gid"] = n
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			id["group"] = g.Name
		}
	}
	return id
}
