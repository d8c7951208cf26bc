package mongostore

import (
	"math"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"muster/query"
)

// Types of values by their numbers, which every server knows.
const (
	typeDouble = 1
	typeText   = 2
	typeObject = 3
	typeBool   = 8
	typeDate   = 9
	typeNull   = 10
	typeInt    = 16
	typeLong   = 18
)

// values collects tests of which one holds for a value that a comparison holds
// for.
type values struct {
	equal bson.A   // to one of these
	tests []bson.D // one of these
	types bson.A   // of one of these types
	below []string // something is at one of these keys below it
	all   bool     // no matter what it is
}

// anywhere is the condition that one of the values at some places passes a test.
func (v *values) anywhere(at []string, there condition) condition {
	if v.all {
		return there
	}
	var parts []condition
	if len(v.equal) > 0 {
		parts = append(parts, anywhere(at, bson.D{{Key: "$in", Value: v.equal}}))
	}
	for _, test := range v.tests {
		parts = append(parts, anywhere(at, test))
	}
	if len(v.types) > 0 {
		parts = append(parts, anywhere(at, bson.D{{Key: "$type", Value: v.types}}))
	}
	for _, key := range v.below {
		for _, place := range at {
			parts = append(parts, exists([]string{place + "." + key}))
		}
	}
	return anyOf(parts)
}

// add adds what a comparison with x holds for.
func (v *values) add(c *query.Compare, x *query.Value) {
	switch {
	case c.Fold, c.View != "native" && c.View != "text" && c.View != "typed" && c.View != "mongo":
		v.all = true
	case c.Op == "=~" && x.Kind == "regex":
		v.addPattern(c, x)
	case c.Op == "in" && x.Kind == "list":
		for i := range x.List {
			v.addEqual(c, &x.List[i])
		}
	case c.Op == "in" && x.Kind == "network":
		v.types = append(v.types, typeText)
	case c.Op == "=":
		v.addEqual(c, x)
	case strings.ContainsAny(c.Op, "<>"):
		v.addOrder(c, x)
	default:
		v.all = true
	}
}

// addEqual adds what is equal to a scalar in a view.
func (v *values) addEqual(c *query.Compare, x *query.Value) {
	switch x.Kind {
	case "text", "number", "bool":
	case "regex":
		v.addPattern(c, x)
		return
	default:
		v.all = true
		return
	}
	if x.Kind == "number" && (c.View == "typed" || c.View == "mongo") {
		v.addNumber("", x.Text)
		return
	}
	if x.Kind == "text" {
		v.equal = append(v.equal, x.Text)
		if c.View == "typed" || c.View == "mongo" {
			return
		}
	}
	// Text that says a number or a truth is one, and the other way around.
	switch {
	case isDecimal(x.Text):
		v.addNumber("", x.Text)
		v.equal = append(v.equal, x.Text)
		v.tests = append(v.tests, bson.D{{Key: "$regex", Value: `\A[-+]?[0-9]`}})
	case x.Text == "true" || x.Text == "false":
		v.equal = append(v.equal, x.Text, x.Text == "true")
	}
	if strings.HasSuffix(x.Text, "Z") {
		v.types = append(v.types, typeDate) // whose text it may be
	}
	if c.View == "text" {
		v.below = append(v.below, escape(x.Text)) // a map stands for its keys
		if x.Text == "" {
			v.types = append(v.types, typeNull)
		}
	}
}

// addNumber adds numbers that compare with one as an operator says; empty: equal
// ones. Those that the server can not hold are objects.
func (v *values) addNumber(op, text string) {
	v.below = append(v.below, numberKey)
	number, err := strconv.ParseFloat(text, 64)
	const exact = 15 // digits that a float64 holds
	if err != nil || math.IsInf(number, 0) || len(text) > exact {
		v.types = append(v.types, typeDouble, typeInt, typeLong)
		return
	}
	if op == "" {
		v.equal = append(v.equal, number)
		return
	}
	v.tests = append(v.tests, bson.D{{Key: op, Value: number}})
}

// addOrder adds what stands before or after x.
func (v *values) addOrder(c *query.Compare, x *query.Value) {
	op := map[string]string{"<": "$lte", "<=": "$lte", ">": "$gte", ">=": "$gte"}[c.Op]
	switch {
	case op == "", c.View == "text", x.Kind != "text" && x.Kind != "number":
		v.all = true
	case (c.View == "typed" || c.View == "mongo") && x.Kind == "number":
		v.addNumber(op, x.Text)
	case c.View == "native" && isDecimal(x.Text):
		v.addNumber(op, x.Text)
		v.types = append(v.types, typeText) // which may say a number, or a version
	default:
		v.types = append(v.types, typeText)
	}
}

// addPattern adds text that matches, and where it counts what has a text.
func (v *values) addPattern(c *query.Compare, x *query.Value) {
	if x.Regexp == nil {
		v.all = true
		return
	}
	v.tests = append(v.tests, bson.D{{Key: "$regex", Value: widened(x.Regexp)}})
	if c.View != "mongo" {
		v.types = append(v.types, typeDouble, typeInt, typeLong, typeBool, typeDate, typeObject, typeNull)
	}
}

// isDecimal reports whether text may say a number.
func isDecimal(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return digits != "" && digits[0] >= '0' && digits[0] <= '9' && !strings.ContainsFunc(digits, func(r rune) bool {
		return (r < '0' || r > '9') && !strings.ContainsRune(".eE+-", r)
	})
}
