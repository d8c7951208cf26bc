package mongostore

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// finds says what MongoDB would of a filter and a document, after the rules that
// its manual and its own tests state, for the operators that push writes.
func finds(filter, doc bson.D) bool {
	for _, f := range filter {
		if !findsField(f, doc) {
			return false
		}
	}
	return true
}

func findsField(f bson.E, doc bson.D) bool {
	part := func(p any) bool { return finds(p.(bson.D), doc) }
	switch f.Key {
	case "$and":
		return !slices.ContainsFunc(f.Value.(bson.A), func(p any) bool { return !part(p) })
	case "$or":
		return slices.ContainsFunc(f.Value.(bson.A), part)
	case "$nor":
		return !slices.ContainsFunc(f.Value.(bson.A), part)
	}
	found := lookup(doc, strings.Split(f.Key, "."))
	tests, ok := f.Value.(bson.D)
	if !ok {
		tests = bson.D{{Key: "$eq", Value: f.Value}}
	}
	for _, test := range tests {
		if test.Key == "$exists" {
			if (len(found) > 0) != test.Value.(bool) {
				return false
			}
			continue
		}
		if !slices.ContainsFunc(opened(found), func(v any) bool { return passes(test, v) }) {
			return false
		}
	}
	return true
}

// lookup follows a path: into documents by name, into lists by position and
// into the documents of a list by name.
func lookup(v any, path []string) []any {
	if len(path) == 0 {
		return []any{v}
	}
	var found []any
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			if e.Key == path[0] {
				found = append(found, lookup(e.Value, path[1:])...)
			}
		}
	case bson.A:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(v) {
			found = append(found, lookup(v[i], path[1:])...)
		}
		for _, e := range v {
			if _, ok := e.(bson.D); ok {
				found = append(found, lookup(e, path)...)
			}
		}
	}
	return found
}

// opened are values, and of lists their elements as well.
func opened(values []any) []any {
	all := slices.Clone(values)
	for _, v := range values {
		if list, ok := v.(bson.A); ok {
			all = append(all, list...)
		}
	}
	return all
}

func passes(test bson.E, v any) bool {
	switch test.Key {
	case "$eq":
		return same(test.Value, v)
	case "$in":
		return slices.ContainsFunc(test.Value.(bson.A), func(x any) bool { return same(x, v) })
	case "$regex":
		text, ok := v.(string)
		return ok && regexp.MustCompile(test.Value.(string)).MatchString(text)
	case "$type":
		return slices.ContainsFunc(test.Value.(bson.A), func(x any) bool { return x == typeOf(v) })
	case "$gte", "$lte":
		order, ok := compare(v, test.Value)
		return ok && (order == 0 || (order > 0) == (test.Key == "$gte"))
	}
	panic(fmt.Sprintf("the server of this test does not know %s", test.Key))
}

func same(a, b any) bool {
	if order, ok := compare(a, b); ok {
		return order == 0
	}
	x, xErr := bson.Marshal(bson.D{{Key: "v", Value: a}})
	y, yErr := bson.Marshal(bson.D{{Key: "v", Value: b}})
	return xErr == nil && yErr == nil && bytes.Equal(x, y)
}

// compare orders numbers and dates.
func compare(a, b any) (int, bool) {
	x, xOK := numberOf(a)
	y, yOK := numberOf(b)
	switch {
	case !xOK || !yOK || (typeOf(a) == typeDate) != (typeOf(b) == typeDate):
		return 0, false
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case bson.DateTime:
		return float64(v), true
	case time.Time:
		return float64(v.UnixMilli()), true
	}
	return 0, false
}

func typeOf(v any) any {
	switch v.(type) {
	case float64:
		return typeDouble
	case string:
		return typeText
	case bson.D:
		return typeObject
	case bool:
		return typeBool
	case bson.DateTime, time.Time:
		return typeDate
	case nil:
		return typeNull
	case int32:
		return typeInt
	case int64:
		return typeLong
	}
	return 0
}
