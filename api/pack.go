package api

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
	"sync"
)

// worthPacking is from which size on an answer is sent as gzip: less fits into
// one packet anyway.
const worthPacking = 1400

// packers are gzip's, whose tables are too large to be made for each answer.
type packers struct{ pool sync.Pool }

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3).
func takesGzip(values []string) bool {
	all := false
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			name, rest, _ := strings.Cut(part, ";")
			wanted := weight(rest) > 0
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				return wanted
			case "*":
				all = wanted
			}
		}
	}
	return all
}

// weight is the q of a header's element; 1 where there is none.
func weight(text string) float64 {
	q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(text, " ", "")), "q=")
	if !ok {
		return 1
	}
	n, err := strconv.ParseFloat(q, 64)
	if err != nil {
		return 0
	}
	return n
}

func (p *packers) pack(body []byte) []byte {
	var out bytes.Buffer
	w, ok := p.pool.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one
	}
	defer p.pool.Put(w)
	w.Reset(&out)
	_, _ = w.Write(body) // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}
