package query

import "time"

// Document is what a query sees of one node. Only Identity is required.
//
// Facts, Trusted and Extra hold JSON values: nil, bool, int64, float64,
// string, []any, map[string]any, json.Number for a number that neither int64
// nor float64 holds exactly, and time.Time for a date.
type Document struct {
	Identity    string
	Facts       map[string]any
	Trusted     map[string]any // what the certificate or an operator says
	Extra       map[string]any // answers of functions asked of a live node, by function and argument
	Classes     []string       // in their original spelling
	Agents      []string
	Collectives []string
	State       string    // active, stale, expired or deactivated
	Auth        string    // how the identity was proven
	Seen        time.Time // the last report; zero: never
}
