package facts

import (
	"crypto/sha1" // the fingerprint that SSHFP records call type 1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// sshFolders are where host keys are kept; the first with a key of a kind wins.
var sshFolders = []string{"/etc/ssh", "/usr/local/etc/ssh", "/etc", "/usr/local/etc", "/etc/opt/ssh", `C:\ProgramData\ssh`}

// sshKeys reads the public host keys, with the fingerprints that DNS publishes.
func sshKeys(folders []string) map[string]any {
	found := map[string]any{}
	for name, number := range map[string]string{"rsa": "1", "dsa": "2", "ecdsa": "3", "ed25519": "4"} {
		for _, dir := range folders {
			text, err := os.ReadFile(filepath.Join(dir, "ssh_host_"+name+"_key.pub"))
			if err != nil {
				continue
			}
			if key := sshKey(string(text), number); key != nil {
				found[name] = key
				break
			}
		}
	}
	return found
}

func sshKey(text, number string) map[string]any {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return nil
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return nil
	}
	first, second := sha1.Sum(blob), sha256.Sum256(blob)
	return map[string]any{
		"type": fields[0], "key": fields[1],
		"fingerprints": map[string]any{
			"sha1":   "SSHFP " + number + " 1 " + hex.EncodeToString(first[:]),
			"sha256": "SSHFP " + number + " 2 " + hex.EncodeToString(second[:]),
		},
	}
}
