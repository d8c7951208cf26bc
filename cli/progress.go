package cli

import (
	"fmt"
	"strings"
)

// progress draws a bar on stderr where a person watches, and nothing elsewhere.
type progress struct {
	a     *app
	what  string
	total int
	last  int // percent drawn last
	shown bool
}

func (a *app) newProgress(what string, total int) *progress {
	return &progress{a: a, what: what, total: total, last: -1}
}

// at redraws the bar when the percentage has moved.
func (p *progress) at(done int) {
	if !p.a.env.StderrTerminal || p.a.noProgress || p.a.quiet || p.total == 0 {
		return
	}
	percent := done * 100 / p.total
	if percent == p.last {
		return
	}
	p.last, p.shown = percent, true
	const width = 40
	full := width * percent / 100
	fmt.Fprintf(p.a.env.Stderr, "\r %s [%s%s] %d / %d", p.what, strings.Repeat("=", full), strings.Repeat(" ", width-full), done, p.total)
}

// end leaves the line.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.a.env.Stderr, "\n")
	}
}
