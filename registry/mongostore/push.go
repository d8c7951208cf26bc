package mongostore

import (
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/query"
)

// pushed is what the server is asked for an expression: it finds every document
// of a node that e holds for, and maybe others, which [query.Matches] then tells
// apart. What can not be said to the server is left out.
func pushed(e query.Expr, now time.Time) bson.D {
	wide, _ := push(e, now)
	switch {
	case wide.always:
		return bson.D{ours}
	case wide.never:
		return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{}}}}}
	}
	return append(bson.D{ours}, wide.filter...)
}

// condition is a filter, or what is true of every document, or of none.
type condition struct {
	filter        bson.D
	always, never bool
}

var (
	always = condition{always: true}
	never  = condition{never: true}
)

// push returns two conditions: one that holds wherever e does, and one that
// holds only where e does. A negation needs the other one of its part.
func push(e query.Expr, now time.Time) (wide, narrow condition) {
	switch e := e.(type) {
	case query.All:
		return always, always
	case query.And:
		return pushParts(e, now, allOf)
	case query.Or:
		return pushParts(e, now, anyOf)
	case query.Not:
		wide, narrow = push(e.Expr, now)
		return not(narrow), not(wide)
	case *query.Compare:
		return pushCompare(e, now)
	case *query.Has:
		if at := placesOf(e.Path); at != nil {
			return exists(at), never
		}
		return always, never
	case *query.Subquery, *query.Changed:
		return always, never // they have been resolved
	}
	return always, never
}

func pushParts(parts []query.Expr, now time.Time, join func([]condition) condition) (wide, narrow condition) {
	wides, narrows := make([]condition, len(parts)), make([]condition, len(parts))
	for i, part := range parts {
		wides[i], narrows[i] = push(part, now)
	}
	return join(wides), join(narrows)
}

func allOf(parts []condition) condition { return joined("$and", parts, always, never) }
func anyOf(parts []condition) condition { return joined("$or", parts, never, always) }

// joined joins conditions of which one says nothing and one decides.
func joined(how string, parts []condition, nothing, decides condition) condition {
	var filters bson.A
	for _, c := range parts {
		switch {
		case c.always == decides.always && c.never == decides.never:
			return decides
		case c.always || c.never: // it says nothing
		case len(c.filter) == 1 && c.filter[0].Key == how:
			filters = append(filters, c.filter[0].Value.(bson.A)...) //nolint:forcetypeassert // it was put in here
		default:
			filters = append(filters, c.filter)
		}
	}
	switch len(filters) {
	case 0:
		return nothing
	case 1:
		return condition{filter: filters[0].(bson.D)} //nolint:forcetypeassert // it was put in here
	}
	return condition{filter: bson.D{{Key: how, Value: filters}}}
}

func not(c condition) condition {
	if c.always || c.never {
		return condition{always: c.never, never: c.always}
	}
	return condition{filter: bson.D{{Key: "$nor", Value: bson.A{c.filter}}}}
}

// is is a condition on the values at one place.
func is(at string, test any) condition {
	return condition{filter: bson.D{{Key: at, Value: test}}}
}

// anywhere is a condition on the values at some places.
func anywhere(at []string, test any) condition {
	parts := make([]condition, len(at))
	for i, place := range at {
		parts[i] = is(place, test)
	}
	return anyOf(parts)
}

func exists(at []string) condition { return anywhere(at, bson.D{{Key: "$exists", Value: true}}) }

// placesOf are where in a document the values lie that a path leads to, or
// what holds them: the flat name first, if it is another. Nil: they are not in
// the document, or anywhere in it.
//
// The server follows a path as our own meaning does, through the documents in a
// list, and besides takes a number for a name.
func placesOf(p query.Path) []string {
	if p.Field != "facts" && p.Field != "trusted" {
		return nil
	}
	var steps strings.Builder
	steps.WriteString(p.Field)
	n := 0
	for _, s := range p.Steps {
		if s.Kind != "name" && s.Kind != "index" {
			break
		}
		if s.Kind == "index" {
			steps.WriteString("." + strconv.Itoa(s.Pos))
		} else {
			steps.WriteString("." + escape(s.Key))
		}
		n++
	}
	if n == 0 {
		return nil
	}
	at := []string{steps.String()}
	if p.Flat != "" {
		if flat := p.Field + "." + escape(p.Flat); flat != at[0] {
			at = append([]string{flat}, at...)
		}
	}
	return at
}

// plain reports whether the values at a path are those at its places, and no
// others: it has names only, of which none is a number.
func plain(p query.Path) bool {
	for _, s := range p.Steps {
		if s.Kind != "name" || s.Pos >= 0 {
			return false
		}
	}
	return len(p.Steps) > 0
}

// narrowly says a test of the first place that is there: the flat name hides
// the other.
func narrowly(p query.Path, test any) condition {
	at := placesOf(p)
	if at == nil || !plain(p) {
		return never
	}
	if len(at) == 1 {
		return is(at[0], test)
	}
	return anyOf([]condition{is(at[0], test), allOf([]condition{not(exists(at[:1])), is(at[1], test)})})
}
