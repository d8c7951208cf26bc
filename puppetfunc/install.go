package puppetfunc

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// What is installed: the module without its tests.
//
//go:embed module/muster/lib module/muster/manifests module/muster/README.md module/muster/metadata.json
var embedded embed.FS

// record is the file in which an installation remembers what it wrote, so that
// the next one can tell our files from changed ones.
const record = "muster/.installed.json"

// Install writes the module into dir/muster, where dir is a folder of Puppet's
// modulepath. It replaces what an earlier Install wrote, and changes nothing at
// all if a file stands in its way that is not as it was installed; the error
// names each. Installing again what is there is no change.
func Install(dir string) error {
	if err := install(dir); err != nil {
		return fmt.Errorf("install the Puppet module in %s: %w", dir, err)
	}
	return nil
}

func install(dir string) error {
	root, err := os.OpenRoot(dir) // nothing is written outside of it, whatever links lead there
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such folder; name one of Puppet's modulepath")
	}
	if err != nil {
		return err
	}
	defer root.Close()
	files, err := moduleFiles()
	if err != nil {
		return err
	}
	before, err := readRecord(root)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	after, write := map[string]string{}, []string{}
	var foreign []string
	for _, name := range names {
		after[name] = hash(files[name])
		there, err := root.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			write = append(write, name)
		case err != nil:
			return err
		case bytes.Equal(there, files[name]):
		case before[name] == hash(there):
			write = append(write, name)
		default:
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return fmt.Errorf("%s: not as installed by muster; move it away first", strings.Join(foreign, ", "))
	}
	for _, name := range write {
		if err := replace(root, name, files[name]); err != nil {
			return err
		}
	}
	if maps.Equal(before, after) {
		return nil
	}
	text, err := json.MarshalIndent(after, "", "\t")
	if err != nil {
		return err
	}
	return replace(root, record, append(text, '\n'))
}

// moduleFiles are the embedded files by their path in a modulepath's folder.
func moduleFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(embedded, "module", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[strings.TrimPrefix(name, "module/")], err = embedded.ReadFile(name)
		return err
	})
	return files, err
}

func readRecord(root *os.Root) (map[string]string, error) {
	text, err := root.ReadFile(record)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	var sums map[string]string
	if err := json.Unmarshal(text, &sums); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", record, err)
	}
	return sums, nil
}

// replace writes a file at one stroke: a compilation must not read half of it.
func replace(root *os.Root, name string, data []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	tmp := name + ".new"
	if err := root.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	if err := root.Rename(tmp, name); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return nil
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
