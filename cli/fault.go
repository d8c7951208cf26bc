package cli

import (
	"errors"
	"fmt"
	"net/http"

	"muster/query"
)

// faultKind says what went wrong, in the terms of the table of exit statuses.
type faultKind int

const (
	faultFailed      faultKind = iota // could not be done
	faultUsage                        // not understood: flags, arguments, a query
	faultNothing                      // understood, asked, nothing found
	faultUnreachable                  // the server did not answer, or answered in part
	faultSome                         // some nodes failed
	faultSilent                       // nodes were found and none replied
	faultAmbiguous                    // several matches where one is needed
	faultLeft                         // the person left the menu
	faultStatus                       // another program's own status
)

// fault is an error that knows its kind. A fault without text is told by the
// exit status alone.
type fault struct {
	kind   faultKind
	status int // for faultStatus
	err    error
}

func (f *fault) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *fault) Unwrap() error { return f.err }

func usageFault(format string, args ...any) error {
	return &fault{kind: faultUsage, err: fmt.Errorf(format, args...)}
}

func unreachable(format string, args ...any) error {
	return &fault{kind: faultUnreachable, err: fmt.Errorf(format, args...)}
}

// statusClass groups commands that share a row of the table of exit statuses.
type statusClass string

const (
	classOther statusClass = ""      // 0, 1 could not, 2 not understood
	classFind  statusClass = "find"  // find, match, inventory, …
	classRPC   statusClass = "rpc"   // what acts on nodes, as mco has it
	classSSH   statusClass = "ssh"   // sysexits, as ssh's callers expect
	classCheck statusClass = "check" // Nagios: every failure of ours is UNKNOWN
)

// statuses is the table of exit statuses; a kind that a row does not name is
// its faultFailed.
var statuses = map[statusClass]map[faultKind]int{
	classOther: {faultFailed: 1, faultUsage: 2},
	classFind:  {faultFailed: 3, faultUsage: 2, faultNothing: 1, faultUnreachable: 3},
	classRPC:   {faultFailed: 1, faultUsage: 1, faultNothing: 1, faultUnreachable: 1, faultSome: 2, faultSilent: 3},
	classSSH:   {faultFailed: 69, faultUsage: 64, faultNothing: 66, faultUnreachable: 69, faultAmbiguous: 64, faultLeft: 130},
	classCheck: {faultFailed: 3, faultUsage: 3, faultNothing: 3, faultUnreachable: 3},
}

// status is the exit status of err for a command of the class; 0 for nil.
func status(class statusClass, err error) int {
	if err == nil {
		return 0
	}
	kind := faultFailed
	if f, ok := errors.AsType[*fault](err); ok {
		if f.kind == faultStatus {
			return f.status
		}
		kind = f.kind
	} else if _, ok := errors.AsType[*query.SyntaxError](err); ok {
		kind = faultUsage
	} else if refusal, ok := errors.AsType[*apiError](err); ok && refusal.Status == http.StatusBadRequest {
		kind = faultUsage
	}
	row := statuses[class]
	if s, ok := row[kind]; ok {
		return s
	}
	return row[faultFailed]
}
