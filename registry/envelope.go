package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"muster/query"
)

// MaxBody is the size of the largest registration, in bytes, after any
// compression is undone.
const MaxBody = 8 << 20

// envelope are the keys of a registration. Anything that differs from one only
// in case is refused: readers would disagree about which one counts.
var envelope = []string{"identity", "facts", "classes", "agents", "collectives", "interval", "lastseen"}

// ours are the keys that those who show nodes write besides.
var ours = []string{"state", "firstseen", "auth", "warnings", "sections", "learnt", "deactivated", "renamed_to"}

// DecodeRegistration reads the JSON body of a registration:
//
//	{"identity":"db1.acme.net","facts":{},"classes":[],"agents":[],
//	 "collectives":[],"interval":300,"lastseen":1700000000}
//
// All keys are optional; interval and lastseen are seconds. Keys that are not
// known are left out with a warning. A failure is a [*Refusal], not recorded
// yet, with the identity if that could be read.
func DecodeRegistration(body []byte) (Registration, error) {
	var reg Registration
	if len(body) > MaxBody {
		return reg, &Refusal{Reason: ReasonTooLarge, Detail: fmt.Sprintf("%d bytes are more than %d", len(body), MaxBody)}
	}
	r := newReader(body)
	err := decodeRegistration(r, &reg)
	if err == nil {
		err = r.end()
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return Registration{}, &Refusal{Identity: reg.Identity, Reason: f.reason, Detail: f.text}
	}
	return reg, err
}

func decodeRegistration(r reader, reg *Registration) error {
	if r.peek() == '[' {
		return &fault{ReasonAgentList, `this is a bare list of agents, as an old daemon sends by default; set "registration = Meta" in its server.cfg so that it sends facts and classes too`}
	}
	return r.object("a registration", func(key string) (err error) {
		switch key {
		case "identity":
			reg.Identity, err = r.text("identity")
		case "facts":
			reg.Facts, err = r.facts()
		case "classes":
			reg.Classes, err = r.texts(key)
		case "agents":
			reg.Agents, err = r.texts(key)
		case "collectives":
			reg.Collectives, err = r.texts(key)
		case "interval":
			reg.Interval, err = r.interval()
		case "lastseen":
			reg.Seen, err = r.lastSeen()
		default:
			return r.unknown(key, reg)
		}
		return err
	})
}

// unknown deals with a key that is not in the envelope.
func (r reader) unknown(key string, reg *Registration) error {
	if key == string(Trusted) {
		facts, err := r.facts()
		if len(facts) > 0 {
			reg.Trusted = facts
		}
		return err
	}
	for _, known := range append([]string{string(Trusted)}, envelope...) {
		if strings.EqualFold(key, known) {
			return &fault{ReasonDuplicate, fmt.Sprintf("the key %q is another spelling of %q", key, known)}
		}
	}
	switch {
	case slices.Contains(ours, key):
		// Written by AppendNode: what only a registry can say.
	case len(reg.Warnings) < maxWarnings:
		reg.Warnings = append(reg.Warnings, fmt.Sprintf("the key %s is not known: left out", quoted(key)))
	}
	return r.skip()
}

// facts reads an object of facts; null counts as none.
func (r reader) facts() (map[string]any, error) {
	if r.peek() == 'n' {
		return nil, r.skip()
	}
	return r.members("facts", MaxDepth+1)
}

// factsOf is facts, but for those that are not wanted. If there are any, all are
// in unread.
func (r reader) factsOf(wanted func(name string) bool) (facts map[string]any, unread *cursor, err error) {
	r.peek()
	start, all := r.at, true
	facts = map[string]any{}
	err = r.fields("facts", func(name string) error {
		if !wanted(name) {
			if all = false; !r.skim() { // a record of our own
				return r.wrong()
			}
			return nil
		}
		v, err := r.value(MaxDepth)
		if err != nil {
			return err
		}
		before := len(facts)
		if facts[name] = v; len(facts) == before {
			return r.wrong()
		}
		return nil
	})
	if err == nil && !all {
		unread = &cursor{b: r.b[start:r.at], s: r.s[start:r.at]}
	}
	return facts, unread, err
}

func (r reader) interval() (time.Duration, error) {
	const most = 365 * 24 * 3600
	v, err := r.scalarNamed("interval")
	if err != nil || v == nil {
		return 0, err
	}
	seconds, ok := float(v)
	if !ok || seconds < 0 || seconds > most {
		return 0, malformed("interval must be a number of seconds, at most a year")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func (r reader) lastSeen() (time.Time, error) {
	v, err := r.value(2)
	if err != nil || v == nil {
		return time.Time{}, err
	}
	if date, ok := v.(time.Time); ok {
		return date, nil
	}
	seconds, ok := float(v)
	if !ok || seconds < 0 || seconds > 1e11 {
		return time.Time{}, malformed("lastseen must be a number of seconds since 1970")
	}
	if seconds == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}

// scalarNamed reads a value that is neither object nor list.
func (r reader) scalarNamed(what string) (any, error) {
	if kind := r.peek(); kind == '{' || kind == '[' {
		return nil, malformed("%s must be a plain value", what)
	}
	return r.scalar()
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// DecodeDocument reads one node document, a line of NDJSON, as a query sees it:
//
//	{"identity":"db1.acme.net","facts":{},"classes":[],"agents":[],
//	 "collectives":[],"lastseen":1700000000}
//
// It is for documents that are asked and not kept: nothing is dropped or
// checked but that they are well-formed. "_id" serves where there is no
// identity; "trusted", "state" and "auth" are understood, and every other key is
// passed over. The error is in words and without the line's number.
func DecodeDocument(line []byte) (*query.Document, error) {
	doc, id := &query.Document{}, ""
	r := newReader(line)
	err := r.object("a node document", func(key string) (err error) {
		switch key {
		case "identity":
			doc.Identity, err = r.text(key)
		case "_id":
			id, err = r.id()
		case "facts":
			doc.Facts, err = r.facts()
		case "trusted":
			doc.Trusted, err = r.facts()
		case "classes":
			doc.Classes, err = r.texts(key)
		case "agents":
			doc.Agents, err = r.texts(key)
		case "collectives":
			doc.Collectives, err = r.texts(key)
		case "state":
			doc.State, err = r.text(key)
		case "auth":
			doc.Auth, err = r.text(key)
		case "lastseen":
			doc.Seen, err = r.lastSeen()
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	if doc.Identity == "" {
		doc.Identity = id
	}
	if doc.Identity == "" {
		return nil, errors.New("a node document needs an identity")
	}
	return doc, nil
}

// id reads MongoDB's "_id" as text: a text, a number, or {"$oid": …}.
func (r reader) id() (string, error) {
	v, err := r.value(2)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case map[string]any:
		oid, _ := v["$oid"].(string)
		return oid, nil
	case nil:
		return "", nil
	}
	return fmt.Sprint(v), nil
}

// sorted returns list without empty texts and repetitions, in order.
func sorted(list []string) []string {
	out := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}
