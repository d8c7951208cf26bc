package facts

import (
	"bufio"
	"os"
	"strings"

	"github.com/shirou/gopsutil/v4/host"
)

// osFacts is the structured os fact.
func osFacts(info *host.InfoStat) map[string]any {
	switch info.OS {
	case "linux":
		return linuxOS(info, readOSRelease("/etc/os-release", "/usr/lib/os-release"))
	case "darwin":
		release := releaseOf(reVersion.FindString(info.KernelVersion))
		return map[string]any{
			"name": "Darwin", "family": "Darwin", "architecture": info.KernelArch, "hardware": info.KernelArch, "release": release,
			"macosx": map[string]any{"product": "macOS", "version": releaseOf(info.PlatformVersion)},
		}
	case "windows":
		return map[string]any{
			"name": "windows", "family": "windows", "architecture": debArch(info.KernelArch), "hardware": info.KernelArch,
			"release": windowsRelease(info.Platform), "windows": map[string]any{"product_name": info.Platform},
		}
	default:
		return map[string]any{
			"name": info.OS, "family": info.OS, "architecture": info.KernelArch, "hardware": info.KernelArch,
			"release": releaseOf(info.PlatformVersion),
		}
	}
}

// osNames has the names Facter gives to what os-release calls ID, where they
// are not the same, and the family.
var osNames = map[string]struct{ name, family string }{
	"almalinux": {"AlmaLinux", "RedHat"}, "alpine": {"Alpine", "Linux"}, "amzn": {"Amazon", "RedHat"}, "arch": {"Archlinux", "Archlinux"},
	"centos": {"CentOS", "RedHat"}, "debian": {"Debian", "Debian"}, "devuan": {"Devuan", "Debian"}, "fedora": {"Fedora", "RedHat"},
	"gentoo": {"Gentoo", "Gentoo"}, "kali": {"Kali", "Debian"}, "linuxmint": {"Linuxmint", "Debian"}, "manjaro": {"Manjarolinux", "Archlinux"},
	"ol": {"OracleLinux", "RedHat"}, "opensuse-leap": {"openSUSE", "Suse"}, "opensuse-tumbleweed": {"openSUSE", "Suse"},
	"raspbian": {"Debian", "Debian"}, "rhel": {"RedHat", "RedHat"}, "rocky": {"Rocky", "RedHat"}, "sled": {"SLED", "Suse"},
	"sles": {"SLES", "Suse"}, "ubuntu": {"Ubuntu", "Debian"}, "virtuozzo": {"VirtuozzoLinux", "RedHat"},
}

func linuxOS(info *host.InfoStat, rel map[string]string) map[string]any {
	known := osNames[rel["ID"]]
	name, family := known.name, known.family
	if name == "" {
		if name = rel["ID"]; name == "" {
			name = "Linux"
		}
		for like := range strings.FieldsSeq(rel["ID_LIKE"]) {
			if f := osNames[like].family; f != "" && family == "" {
				family = f
			}
		}
		if family == "" {
			family = "Linux"
		}
	}
	version := rel["VERSION_ID"]
	if info.PlatformVersion != "" && name != "Ubuntu" {
		version = info.PlatformVersion // debian_version has the point release
	}
	release := releaseOf(version)
	if name == "Ubuntu" {
		release["major"] = version // 22.04 is the major release
		delete(release, "minor")
	}
	arch := info.KernelArch
	if family == "Debian" {
		arch = debArch(arch)
	}
	return map[string]any{
		"name": name, "family": family, "architecture": arch, "hardware": info.KernelArch, "release": release,
		"selinux": map[string]any{"enabled": exists("/sys/fs/selinux/enforce")},
		"distro": map[string]any{
			"id": name, "codename": rel["VERSION_CODENAME"], "description": rel["PRETTY_NAME"], "release": release,
		},
	}
}

// debArch is the name Debian and Windows use for a machine.
func debArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "i686":
		return "i386"
	}
	return machine
}

func releaseOf(version string) map[string]any {
	r := map[string]any{"full": version}
	major, rest, ok := strings.Cut(version, ".")
	r["major"] = major
	if minor, _, _ := strings.Cut(rest, "."); ok {
		r["minor"] = minor
	}
	return r
}

// windowsRelease finds "2019" in "Microsoft Windows Server 2019 Datacenter".
func windowsRelease(product string) map[string]any {
	for word := range strings.FieldsSeq(product) {
		if word[0] >= '0' && word[0] <= '9' {
			return map[string]any{"full": word, "major": word}
		}
	}
	return map[string]any{"full": product, "major": product}
}

// readOSRelease reads the first of the files that is there.
func readOSRelease(paths ...string) map[string]string {
	found := map[string]string{}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if key, value, ok := strings.Cut(lines.Text(), "="); ok {
				found[key] = strings.Trim(value, `"'`)
			}
		}
		_ = f.Close()
		return found
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
