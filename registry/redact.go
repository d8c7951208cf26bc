package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Redacted takes the place of a value that looks like a secret.
const Redacted = "[redacted]"

// Redaction says which facts hold secrets. Their values are replaced by
// [Redacted] before anything else is done with a registration, so that they are
// in no answer, no store, no hash and no history.
type Redaction struct {
	// Off keeps every value as it came.
	Off bool

	// Names are patterns of names of facts, at any level, beside those of
	// [DefaultRedacted]: "*" is any text, case and the difference between "-"
	// and "_" do not count, and one with a dot is held against the whole path.
	// A "!" before a pattern exempts; the last pattern that fits decides.
	Names []string
}

// DefaultRedacted are the patterns that hold unless exempted.
func DefaultRedacted() []string {
	return []string{
		"*userdata", "*user_data", "*customdata", "*custom_data",
		"*password*", "*passwd*", "*passphrase*", "*secret*", "*token*", "*credential*",
		"*_key", "*apikey", "*privatekey*", "*private_key*",
		"!*public_key", "!*pub_key", "!ssh_host_*_key", "!*host_key",
	}
}

// secrets are the shapes of values that are secrets whatever their name is.
// Each is looked for only where its mark is found, which is cheap.
var secrets = []struct {
	mark  string
	shape *regexp.Regexp
}{
	{"PRIVATE KEY", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY`)},
	{"AKIA", regexp.MustCompile(`\bAKIA[A-Z0-9]{16}\b`)},                                     // AWS: long-lived
	{"ASIA", regexp.MustCompile(`\bASIA[A-Z0-9]{16}\b`)},                                     // AWS: of a session
	{"eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)}, // JWT
	{"mst_", regexp.MustCompile(`\bmst_[A-Za-z0-9]{49}\b`)},                                  // our own tokens
}

// shortestSecret is the length of the shortest value that can have such a shape.
const shortestSecret = 20

// maxKnownNames bounds the names whose verdict is remembered: nodes choose them.
const maxKnownNames = 1 << 14

// redactor applies a [Redaction]. Its zero value leaves everything as it is.
type redactor struct {
	names, paths []nameGlob // paths are those with a dot
	rules        string     // as text

	mu    sync.RWMutex
	known map[string]bool // whether a name is one of a secret

	byName, byValue atomic.Uint64
}

type nameGlob struct {
	glob   *regexp.Regexp
	exempt bool
}

func (r *redactor) configure(c Redaction) error {
	if c.Off {
		return nil
	}
	r.known = map[string]bool{}
	r.rules = strings.Join(slices.Concat(DefaultRedacted(), c.Names), "\n")
	for _, s := range secrets {
		r.rules += "\n" + s.shape.String()
	}
	for _, pattern := range slices.Concat(DefaultRedacted(), c.Names) {
		text, exempt := strings.CutPrefix(pattern, "!")
		if strings.Trim(text, "*.") == "" {
			return fmt.Errorf("the pattern %s of facts to redact names nothing", quoted(pattern))
		}
		text = strings.ReplaceAll(regexp.QuoteMeta(plainName(text)), `\*`, ".*")
		g := nameGlob{glob: regexp.MustCompile("(?s)^" + text + "$"), exempt: exempt}
		if strings.Contains(pattern, ".") {
			r.paths = append(r.paths, g)
		} else {
			r.names = append(r.names, g)
		}
	}
	return nil
}

// clean replaces what is secret in a registration, and says so in a warning.
func (r *redactor) clean(reg *Registration) {
	facts, warnings := r.facts(reg.Facts)
	if len(warnings) > 0 {
		reg.Facts = facts
		reg.Warnings = append(warnings, reg.Warnings...) // first: not all others may be kept
	}
}

// facts returns facts without secrets; those that have none as they are.
func (r *redactor) facts(facts map[string]any) (map[string]any, []string) {
	if r.known == nil || len(facts) == 0 {
		return facts, nil
	}
	w := redaction{redactor: r}
	r.mu.RLock()
	kept, _ := w.object(facts)
	r.mu.RUnlock()
	r.learn(w.fresh)
	r.byName.Add(w.named)
	r.byValue.Add(uint64(len(w.found)) - w.named)
	return kept, w.warnings()
}

func (r *redactor) learn(fresh map[string]bool) {
	if len(fresh) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known)+len(fresh) <= maxKnownNames {
		maps.Copy(r.known, fresh)
	}
}

// sections cleans what was stored or backed up before it had to be clean, and
// reports whether there was anything to clean.
func (r *redactor) sections(n Node) (_ Node, changed bool) {
	for source, s := range n.Sections {
		facts, warnings := r.facts(s.Facts)
		if len(warnings) == 0 {
			continue
		}
		cleaned := *s
		cleaned.Facts, cleaned.Hash, cleaned.stable = facts, "", 0
		cleaned.Warnings = append(slices.Clip(s.Warnings), warnings...)
		n, changed = n.with(source, &cleaned), true
	}
	return n, changed
}

// changes cleans what an event tells, of how things were before they had to be
// clean above all.
func (r *redactor) changes(list []Change) []Change {
	if r.known == nil {
		return list
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range list {
		w := redaction{redactor: r}
		for _, value := range []*json.RawMessage{&list[i].Old, &list[i].New} {
			if w.secretChange(list[i].Path, *value) {
				*value = json.RawMessage(redactedJSON)
			}
		}
	}
	return slices.DeleteFunc(list, func(c Change) bool { return string(c.Old) == redactedJSON && string(c.New) == redactedJSON })
}

const redactedJSON = `"` + Redacted + `"`

func (w *redaction) secretChange(path string, value json.RawMessage) bool {
	if len(value) == 0 || strings.ContainsRune("ntf", rune(value[0])) || string(value) == redactedJSON {
		return false
	}
	w.path = w.path[:0]
	for _, step := range ParsePath(path).Steps {
		w.path = append(w.path, step.Key)
		if w.secretName(step.Key) {
			return true
		}
	}
	if nested := value[0] == '{' || value[0] == '['; !nested && len(value) < shortestSecret {
		return false
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return true // what cannot be read is not shown
	}
	_, secret := w.value(v)
	return secret
}

// redaction is one walk through facts.
type redaction struct {
	*redactor

	path  []string
	fresh map[string]bool // verdicts that are not known yet
	found []string        // paths
	named uint64          // of them, by name
}

// object returns m, or a copy of it where something in it is secret.
func (w *redaction) object(m map[string]any) (kept map[string]any, changed bool) {
	kept = m
	for k, v := range m {
		w.path = append(w.path, k)
		if next, is := w.entry(k, v); is {
			if !changed {
				kept, changed = maps.Clone(m), true
			}
			kept[k] = next
		}
		w.path = w.path[:len(w.path)-1]
	}
	return kept, changed
}

func (w *redaction) entry(k string, v any) (any, bool) {
	switch v.(type) {
	case nil, bool:
		return v, false // there is no secret in a yes or no
	}
	if w.secretName(k) {
		w.named++
		return w.hide(), true
	}
	return w.value(v)
}

func (w *redaction) value(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		if secretValue(v) {
			return w.hide(), true
		}
	case map[string]any:
		return w.object(v)
	case []any:
		return w.list(v)
	}
	return v, false
}

func (w *redaction) list(v []any) (kept []any, changed bool) {
	kept = v
	for i, e := range v {
		next, is := w.value(e)
		if !is {
			continue
		}
		if !changed {
			kept, changed = slices.Clone(v), true
		}
		kept[i] = next
	}
	return kept, changed
}

func (w *redaction) hide() any {
	w.found = append(w.found, strings.Join(w.path, "."))
	return Redacted
}

func (w *redaction) secretName(k string) bool {
	secret, known := w.known[k]
	if !known {
		if secret, known = w.fresh[k]; !known {
			secret = lastFits(w.names, k, false)
			if w.fresh == nil {
				w.fresh = map[string]bool{}
			}
			w.fresh[strings.Clone(k)] = secret
		}
	}
	if len(w.paths) > 0 {
		secret = lastFits(w.paths, strings.Join(w.path, "."), secret)
	}
	return secret
}

// lastFits is what the last pattern that fits a name says of it.
func lastFits(globs []nameGlob, name string, otherwise bool) bool {
	name = plainName(name)
	for _, g := range slices.Backward(globs) {
		if g.glob.MatchString(name) {
			return !g.exempt
		}
	}
	return otherwise
}

func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

func secretValue(v string) bool {
	if len(v) < shortestSecret {
		return false
	}
	for i := range secrets {
		if at := strings.Index(v, secrets[i].mark); at >= 0 && secrets[i].shape.MatchString(v) {
			return true
		}
	}
	return false
}

// shownPaths is how many paths a warning names.
const shownPaths = 5

func (w *redaction) warnings() []string {
	if len(w.found) == 0 {
		return nil
	}
	slices.Sort(w.found)
	shown := make([]string, min(len(w.found), shownPaths))
	for i := range shown {
		shown[i] = quoted(strings.ToValidUTF8(w.found[i], "�"))
	}
	text := fmt.Sprintf("%d values look like secrets and were redacted: %s", len(w.found), strings.Join(shown, ", "))
	if more := len(w.found) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return []string{text}
}

// About returns a function that reports whether a text, such as a query, names a
// fact that would be redacted, or holds a value that would be.
func (c Redaction) About() (func(text string) bool, error) {
	var r redactor
	if err := r.configure(c); err != nil {
		return nil, err
	}
	return func(text string) bool {
		if r.known == nil {
			return false
		}
		return secretValue(text) || slices.ContainsFunc(namesInText.FindAllString(text, -1), func(name string) bool {
			last := name[strings.LastIndexByte(name, '.')+1:]
			return lastFits(r.paths, name, lastFits(r.names, last, false)) ||
				slices.ContainsFunc(strings.Split(name, "."), func(part string) bool { return lastFits(r.names, part, false) })
		})
	}, nil
}

// namesInText are words that could be names or paths of facts.
var namesInText = regexp.MustCompile(`[\pL\pN_.-]+`)
