package mongostore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/registry"
)

// format is the version of the documents' shape.
const format = 1

// document is a node as MongoDB keeps it.
type document struct {
	ID string `bson:"_id"` // the identity's key

	FQDN        string   `bson:"fqdn"`
	Identity    string   `bson:"identity"`
	LastSeen    int64    `bson:"lastseen"` // seconds since 1970
	Agents      []string `bson:"agentlist"`
	Classes     []string `bson:"classes"`
	Collectives []string `bson:"collectives"`
	Facts       bson.D   `bson:"facts"`

	Format  int       `bson:"format"`
	Seen    time.Time `bson:"seen,omitempty"`
	First   time.Time `bson:"first,omitempty"`
	Trusted bson.D    `bson:"trusted,omitempty"`

	Version  int64          `bson:"version"`         // the bits of registry.Node.Version
	Revision int64          `bson:"rev"`             // of the last write, see clock
	Event    *eventDocument `bson:"event,omitempty"` // what happened with the last change; it is in the journal too

	Sections map[string]section `bson:"sections"`
}

// section is a registry.Section. Its facts are nil where they are those of the
// whole document.
type section struct {
	Facts       bson.D        `bson:"facts,omitempty"`
	Whole       bool          `bson:"whole,omitempty"` // the document's facts are this section's
	Classes     []string      `bson:"classes,omitempty"`
	Agents      []string      `bson:"agentlist,omitempty"`
	Collectives []string      `bson:"collectives,omitempty"`
	Interval    time.Duration `bson:"interval,omitempty"` // nanoseconds
	Auth        string        `bson:"auth"`
	Sequence    int64         `bson:"sequence"` // the bits of a uint64
	Sent        time.Time     `bson:"sent,omitempty"`
	Received    time.Time     `bson:"received,omitempty"`
	Changed     time.Time     `bson:"changed,omitempty"`
	Hash        string        `bson:"hash"`
	Warnings    []string      `bson:"warnings,omitempty"`
	Learnt      time.Duration `bson:"learnt,omitempty"`
}

// documentOf is a node as a document.
func documentOf(n *registry.Node) document {
	d := document{
		ID:          n.Identity.Key(),
		FQDN:        fqdn(n),
		Identity:    string(n.Identity),
		Agents:      orEmpty(n.Agents),
		Classes:     orEmpty(n.Classes),
		Collectives: orEmpty(n.Collectives),
		Facts:       toObject(n.Facts),
		Format:      format,
		Seen:        n.LastSeen,
		First:       n.FirstSeen,
		Version:     int64(n.Version()),
		Sections:    make(map[string]section, len(n.Sections)),
	}
	if !n.LastSeen.IsZero() {
		d.LastSeen = n.LastSeen.Unix()
	}
	if len(n.Trusted) > 0 {
		d.Trusted = toObject(n.Trusted)
	}
	speaker := onlySpeaker(n)
	for source, s := range n.Sections {
		own := section{
			Whole: source == speaker, Classes: s.Classes, Agents: s.Agents, Collectives: s.Collectives,
			Interval: s.Interval, Auth: s.Auth, Sequence: int64(s.Sequence), Sent: s.Sent,
			Received: s.Received, Changed: s.Changed, Hash: s.Hash, Warnings: s.Warnings, Learnt: s.Learnt,
		}
		if !own.Whole && len(s.Facts) > 0 {
			own.Facts = toObject(s.Facts)
		}
		d.Sections[string(source)] = own
	}
	return d
}

// onlySpeaker is the one source whose facts are the node's; empty if there are
// several, or none.
func onlySpeaker(n *registry.Node) registry.Source {
	var only registry.Source
	for source, s := range n.Sections {
		if source == registry.Trusted || len(s.Facts) == 0 {
			continue
		}
		if only != "" {
			return ""
		}
		only = source
	}
	return only
}

// node is the node that a document keeps.
func (d *document) node() (registry.Node, error) {
	id, err := registry.ParseIdentity(d.Identity)
	if err != nil {
		return registry.Node{}, err
	}
	sections := make(map[registry.Source]*registry.Section, len(d.Sections))
	for source, own := range d.Sections {
		facts := own.Facts
		if own.Whole {
			facts = d.Facts
		}
		s := &registry.Section{
			Classes: own.Classes, Agents: own.Agents, Collectives: own.Collectives,
			Interval: own.Interval, Auth: own.Auth, Sequence: uint64(own.Sequence), Sent: utc(own.Sent),
			Received: utc(own.Received), Changed: utc(own.Changed), Hash: own.Hash, Warnings: own.Warnings, Learnt: own.Learnt,
		}
		if len(facts) > 0 {
			if s.Facts, err = fromObject(facts); err != nil {
				return registry.Node{}, err
			}
		}
		sections[registry.Source(source)] = s
	}
	return registry.NewNode(id, utc(d.First), sections), nil
}

// fqdn is what the ancestor kept documents by: the fact, wherever the facts
// have it, else the identity.
func fqdn(n *registry.Node) string {
	for _, path := range []string{"fqdn", "networking.fqdn"} {
		if v, ok := n.Value(path); ok {
			if name, ok := v.(string); ok && name != "" {
				return name
			}
		}
	}
	return string(n.Identity)
}

// toObject is an object of facts in BSON, with its keys escaped and in order.
func toObject(m map[string]any) bson.D {
	d := make(bson.D, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		d = append(d, bson.E{Key: escape(k), Value: toBSON(m[k])})
	}
	return d
}

func toBSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return toObject(v)
	case []any:
		list := make(bson.A, len(v))
		for i, e := range v {
			list[i] = toBSON(e)
		}
		return list
	case json.Number:
		return bson.D{{Key: numberKey, Value: string(v)}}
	case time.Time:
		return bson.NewDateTimeFromTime(v)
	}
	return v
}

func fromObject(d bson.D) (map[string]any, error) {
	m := make(map[string]any, len(d))
	for _, e := range d {
		v, err := fromBSON(e.Value)
		if err != nil {
			return nil, err
		}
		m[unescape(e.Key)] = v
	}
	return m, nil
}

func fromBSON(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case int32:
		return int64(v), nil
	case bson.DateTime:
		return v.Time().UTC(), nil
	case bson.D:
		if len(v) == 1 && v[0].Key == numberKey {
			text, _ := v[0].Value.(string)
			return json.Number(text), nil
		}
		return fromObject(v)
	case bson.A:
		list := make([]any, len(v))
		for i, e := range v {
			var err error
			if list[i], err = fromBSON(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("a fact has a type that muster does not write: %T", v)
}

// utc is a time as nodes have it; the zero time stays that.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// orEmpty makes a list of no names: readers expect one.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
