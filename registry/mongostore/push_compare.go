package mongostore

import (
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/query"
)

// pushCompare returns the conditions of one comparison, as push does.
func pushCompare(c *query.Compare, now time.Time) (wide, narrow condition) {
	if c.Count {
		return always, never
	}
	if c.View == "mongo" {
		if positive := unnegated(c); positive != nil {
			wide, narrow = pushCompare(positive, now)
			return not(narrow), not(wide)
		}
	}
	switch c.Path.Field {
	case "facts", "trusted":
		return pushValues(c)
	case "classes", "agents", "collectives":
		return pushNames(c)
	case "identity":
		return pushIdentity(c)
	case "seen":
		return pushSeen(c, now), never
	case "fact":
		if c.Op == "=" && c.Value.Kind == "text" && c.Quant == "any" && !c.Fold && c.View == "text" {
			return exists([]string{"facts." + escape(c.Value.Text)}), never
		}
	}
	return always, never
}

// unnegated is what a comparison by the server's rules is the negation of.
func unnegated(c *query.Compare) *query.Compare {
	op, ok := map[string]string{"!=": "=", "not in": "in", "!~": "=~"}[c.Op]
	if !ok {
		return nil
	}
	positive := *c
	positive.Op = op
	return &positive
}

// pushValues is a comparison of facts.
func pushValues(c *query.Compare) (wide, narrow condition) {
	at := placesOf(c.Path)
	switch {
	case at == nil, c.View == "mongo" && holdsForNothing(c), c.View != "mongo" && c.Absent && c.Op != "exists":
		return always, never
	case c.Op == "exists":
		return exists(at), narrowly(c.Path, bson.D{{Key: "$exists", Value: true}})
	}
	there := exists(at)
	exact := slices.Contains([]string{"any", "self"}, c.Quant) || c.View == "mongo"
	if !exact || len(c.Path.Steps) != strings.Count(at[len(at)-1], ".") {
		return there, never // something else of the values decides, or other values do
	}
	narrow = never
	if c.Op == "=" && c.Value.Kind == "text" && (c.Quant == "any" || c.View == "mongo") && !isDecimal(c.Value.Text) && c.View != "version" {
		narrow = narrowly(c.Path, c.Value.Text)
	}
	switch c.Op {
	case "=", "in", "=~", "<", "<=", ">", ">=":
		var set values
		set.add(c, &c.Value)
		return set.anywhere(at, there), narrow
	}
	return there, never
}

// holdsForNothing reports whether a comparison by the server's rules may hold
// where there is no value, since it asks for null.
func holdsForNothing(c *query.Compare) bool {
	return c.Value.Kind == "null" || slices.ContainsFunc(c.Value.List, func(v query.Value) bool { return v.Kind == "null" })
}

// pushNames is a comparison of classes, RPC agents or collectives. Such a list
// is always there.
func pushNames(c *query.Compare) (wide, narrow condition) {
	field := map[string]string{"classes": "classes", "agents": "agentlist", "collectives": "collectives"}[c.Path.Field]
	if c.Op != "=" || c.Value.Kind != "text" || c.Quant != "any" || c.Fold || len(c.Path.Steps) > 0 {
		return always, never
	}
	name := c.Value.Text
	switch c.View {
	case "class":
		if strings.HasPrefix(name, ":") {
			return always, never
		}
		pattern, ok := anyCase(name)
		if !ok {
			return is(field+".0", bson.D{{Key: "$exists", Value: true}}), never
		}
		return is(field, bson.D{{Key: "$regex", Value: `\A(?:::)?` + pattern + `\z`}}), is(field, name)
	case "agent":
		if name == "mcollective" || isDecimal(name) {
			return always, never // it is everywhere
		}
		return is(field, name), is(field, name)
	case "text", "mongo":
		return is(field, name), is(field, name)
	}
	return always, never
}

// pushIdentity is a comparison of identities, which are ASCII and stored in
// lower case as _id.
func pushIdentity(c *query.Compare) (wide, narrow condition) {
	if c.Quant == "none" || c.Quant == "all" && c.Op != "=" && c.Op != "in" && c.Op != "=~" || len(c.Path.Steps) > 0 || c.View != "host" {
		return always, never
	}
	switch {
	case c.Op == "=~" && c.Value.Kind == "regex":
		return is("identity", bson.D{{Key: "$regex", Value: widened(c.Value.Regexp)}}), never
	case c.Op == "=" && c.Value.Kind == "glob" && isASCII(c.Value.Text):
		return is("_id", bson.D{{Key: "$regex", Value: globbed(strings.ToLower(c.Value.Text))}}), never
	case c.Op == "=" && c.Value.Kind == "text" && isASCII(c.Value.Text):
		key := strings.ToLower(c.Value.Text)
		return is("_id", key), is("_id", key)
	case c.Op == "in" && c.Value.Kind == "list":
		keys := bson.A{}
		for _, v := range c.Value.List {
			if v.Kind != "text" || !isASCII(v.Text) {
				return always, never
			}
			keys = append(keys, strings.ToLower(v.Text))
		}
		in := bson.D{{Key: "$in", Value: keys}}
		return is("_id", in), is("_id", in)
	}
	return always, never
}

// pushSeen is a comparison of when a node was last seen, with a second to spare.
func pushSeen(c *query.Compare, now time.Time) condition {
	var moment time.Time
	op := c.Op
	switch c.Value.Kind {
	case "age":
		moment = now.Add(-c.Value.Age)
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	case "time":
		moment = c.Value.Time
	}
	if moment.IsZero() || c.View != "native" || c.Quant != "any" || len(c.Path.Steps) > 0 {
		return always
	}
	switch op {
	case ">", ">=":
		return is("seen", bson.D{{Key: "$gte", Value: moment.Add(-time.Second)}})
	case "<", "<=": // what was never seen is before everything
		return anyOf([]condition{
			is("seen", bson.D{{Key: "$lte", Value: moment.Add(time.Second)}}),
			is("seen", bson.D{{Key: "$exists", Value: false}}),
		})
	}
	return always
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
