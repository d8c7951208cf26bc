package registry

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// AppendNode appends n as one line of JSON, without its line feed, for readers
// outside:
//
//	{"identity":"db1.acme.net","facts":{},"trusted":{},"classes":[],"agents":[],
//	 "collectives":["mcollective"],"lastseen":1700000000,"state":"active",
//	 "firstseen":1690000000,"interval":300,"auth":"cert","warnings":[],
//	 "sections":{"daemon":{"auth":"cert","received":…,"changed":…,"sent":…}}}
//
// Times are seconds since 1970, with a fraction in sections. [DecodeDocument]
// and [DecodeRegistration] read it; those keys that only the registry knows are
// left out then.
func AppendNode(b []byte, n *Node) []byte {
	b = appendString(append(b, `{"identity":`...), string(n.Identity))
	b = appendObject(append(b, `,"facts":`...), n.Facts)
	b = appendObject(append(b, `,"trusted":`...), n.Trusted)
	b = appendStrings(append(b, `,"classes":`...), n.Classes)
	b = appendStrings(append(b, `,"agents":`...), n.Agents)
	b = appendStrings(append(b, `,"collectives":`...), n.Collectives)
	b = strconv.AppendInt(append(b, `,"lastseen":`...), epoch(n.LastSeen), 10)
	b = appendString(append(b, `,"state":`...), string(n.State))
	b = strconv.AppendInt(append(b, `,"firstseen":`...), epoch(n.FirstSeen), 10)
	b = strconv.AppendInt(append(b, `,"interval":`...), int64(n.Interval/time.Second), 10)
	b = appendString(append(b, `,"auth":`...), n.Auth)
	b = appendStrings(append(b, `,"warnings":`...), n.Warnings)
	b = append(b, `,"sections":{`...)
	for i, source := range slices.Sorted(maps.Keys(n.Sections)) {
		if i > 0 {
			b = append(b, ',')
		}
		s := n.Sections[source]
		b = append(appendString(b, string(source)), ':')
		b = appendString(append(b, `{"auth":`...), s.Auth)
		b = appendSeconds(append(b, `,"received":`...), s.Received)
		b = appendSeconds(append(b, `,"changed":`...), s.Changed)
		b = append(appendSeconds(append(b, `,"sent":`...), s.Sent), '}')
	}
	return append(b, "}}"...)
}

func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func appendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, '0')
	}
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// AppendJSON appends a fact's value, as found in Facts, as JSON.
func AppendJSON(b []byte, v any) []byte { return appendValue(b, v) }
