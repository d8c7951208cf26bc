package registry

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// AppendRecord appends what a store must keep of n, as JSON on one line:
//
//	{"identity":"db1","first":1700000000000,"sections":{"daemon":{"received":…,"facts":{…}}}}
//
// Times are milliseconds since 1970. [ParseRecord] reads it back.
func AppendRecord(b []byte, n *Node) []byte {
	b = appendString(append(b, `{"identity":`...), string(n.Identity))
	b = appendTime(b, "first", n.FirstSeen)
	b = append(b, `,"sections":{`...)
	for i, source := range slices.Sorted(maps.Keys(n.Sections)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(source)), ':')
		b = appendSection(b, n.Sections[source])
	}
	return append(b, "}}"...)
}

func appendSection(b []byte, s *Section) []byte {
	b = appendString(append(b, `{"hash":`...), s.Hash)
	b = appendString(append(b, `,"auth":`...), s.Auth)
	b = strconv.AppendUint(append(b, `,"sequence":"`...), s.Sequence, 10) // text: it does not fit an int64
	b = strconv.AppendInt(append(b, `","interval":`...), int64(s.Interval), 10)
	if s.Learnt > 0 {
		b = strconv.AppendInt(append(b, `,"learnt":`...), int64(s.Learnt), 10)
	}
	b = appendTime(b, "sent", s.Sent)
	b = appendTime(b, "received", s.Received)
	b = appendTime(b, "changed", s.Changed)
	for _, list := range []struct {
		name  string
		texts []string
	}{{"classes", s.Classes}, {"agents", s.Agents}, {"collectives", s.Collectives}, {"warnings", s.Warnings}} {
		if len(list.texts) > 0 {
			b = append(append(append(b, `,"`...), list.name...), `":`...)
			b = appendStrings(b, list.texts)
		}
	}
	switch {
	case s.verbatim != "":
		b = append(append(b, `,"facts":`...), s.verbatim...)
	case len(s.Facts) > 0:
		b = appendObject(append(b, `,"facts":`...), s.Facts)
	}
	return append(b, '}')
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, t.UnixMilli(), 10)
}

// ParseRecord reads what [AppendRecord] wrote.
func ParseRecord(record []byte) (Node, error) {
	id, first, sections, err := parseSections(record, everyFact)
	if err != nil {
		return Node{}, err
	}
	return NewNode(id, first, sections), nil
}

// wanted tells which facts of a source are to be read.
type wanted func(source Source, fact string) bool

func everyFact(Source, string) bool { return true }

// parseSections reads what a node is made of, with those of the facts that are
// wanted.
func parseSections(record []byte, w wanted) (_ Identity, first time.Time, sections map[Source]*Section, err error) {
	var id string
	sections = map[Source]*Section{}
	r := newReader(record)
	err = r.object("a record", func(key string) (err error) {
		switch key {
		case "identity":
			id, err = r.text(key)
		case "first":
			first, err = r.millis()
		case "sections":
			err = r.object(key, func(source string) (err error) {
				sections[Source(source)], err = r.section(Source(source), w)
				return err
			})
		default:
			err = malformed("the key %s is not known", quoted(key))
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return "", first, nil, fmt.Errorf("reading the record of %s: %w", quoted(id), err)
	}
	identity, err := ParseIdentity(id)
	if err != nil {
		return "", first, nil, fmt.Errorf("reading a record: %w", err)
	}
	return identity, first, sections, nil
}

func (r reader) section(source Source, w wanted) (*Section, error) {
	s := &Section{}
	err := r.object("a section", func(key string) (err error) {
		switch key {
		case "hash":
			s.Hash, err = r.text(key)
		case "auth":
			s.Auth, err = r.text(key)
		case "sequence":
			s.Sequence, err = r.sequence()
		case "interval":
			var n int64
			n, err = r.integer()
			s.Interval = time.Duration(n)
		case "learnt":
			var n int64
			n, err = r.integer()
			s.Learnt = time.Duration(n)
		case "sent":
			s.Sent, err = r.millis()
		case "received":
			s.Received, err = r.millis()
		case "changed":
			s.Changed, err = r.millis()
		case "classes":
			s.Classes, err = r.texts(key)
		case "agents":
			s.Agents, err = r.texts(key)
		case "collectives":
			s.Collectives, err = r.texts(key)
		case "warnings":
			s.Warnings, err = r.texts(key)
		case "facts":
			s.Facts, s.unread, err = r.factsOf(func(fact string) bool { return w(source, fact) })
		default:
			err = malformed("the key %s is not known", quoted(key))
		}
		return err
	})
	return s, err
}

func (r reader) sequence() (uint64, error) {
	text, err := r.text("sequence")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, malformed("sequence %s is not a number", quoted(text))
	}
	return n, nil
}

func (r reader) integer() (int64, error) {
	v, err := r.scalarNamed("a number")
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, malformed("%s must be a whole number", r.place())
	}
	return n, nil
}

func (r reader) millis() (time.Time, error) {
	n, err := r.integer()
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(n).UTC(), nil
}
