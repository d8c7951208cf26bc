package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Verified says what a verified log holds.
type Verified struct {
	Lines uint64 // how many
	First uint64 // the number of the first line; more than 1 where older files are gone
	Last  string // the hash of the last line
}

// Verify reads logs, oldest first, and returns an error that names the first
// line that is not as it was written, or does not follow the one before it. The
// first line may follow one that is not there any more.
func Verify(logs ...io.Reader) (Verified, error) {
	var v Verified
	next, before := uint64(0), ""
	lines := bufio.NewReaderSize(io.MultiReader(logs...), 64<<10)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			v.Last = before
			return v, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return v, fmt.Errorf("read the audit log: %w", err)
		}
		if err != nil {
			return v, fmt.Errorf("line %d of the audit log: it is cut off", v.Lines+1)
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return v, fmt.Errorf("line %d of the audit log: it is not one of ours", v.Lines+1)
		}
		written, err := json.Marshal(l)
		switch {
		case err != nil || !bytes.Equal(written, text):
			return v, fmt.Errorf("line %d of the audit log: it is not as it was written", v.Lines+1)
		case v.Lines == 0 && (l.Number == 1) != (l.Before == ""):
			return v, fmt.Errorf("line 1 of the audit log: it has the number %d and follows %q", l.Number, l.Before)
		case v.Lines > 0 && l.Number != next:
			return v, fmt.Errorf("line %d of the audit log: it has the number %d, not %d: lines are missing, or were put in", v.Lines+1, l.Number, next)
		case v.Lines > 0 && l.Before != before:
			return v, fmt.Errorf("line %d of the audit log: the line before it was changed", v.Lines+1)
		}
		if v.Lines == 0 {
			v.First = l.Number
		}
		v.Lines++
		next, before = l.Number+1, hashOf(text)
	}
}
