// Package audit keeps a log of who did what, in lines of JSON that are only ever
// added to:
//
//	log, err := audit.Open(audit.Config{Path: "audit.log"})
//	err = log.Add(audit.Entry{Who: "alice", Auth: "token alice", What: "POST /v1/thaw", Status: 200})
//	...
//	n, err := audit.Verify(file)
//
// Each line names the hash of the one before it, so that a line that was changed,
// taken out or put in later is found by [Verify]. Lines that were cut off at the
// end are not: whoever needs to know compares the last hash with one that was
// kept elsewhere, such as in the system's log, to which each start writes it.
package audit
