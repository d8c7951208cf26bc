package registrytest

import (
	"regexp"
	"strconv"
)

// Mistake is an error about the text of a question that came as text, from
// another program.
type Mistake struct {
	text   string
	column int
}

func (m *Mistake) Error() string { return m.text }

// Column is where in the question the mistake is, counted from one.
func (m *Mistake) Column() int { return m.column }

var columnSaid = regexp.MustCompile(`column (\d+)`)

// MistakeOf reads the column that a text names; nil if it names none.
func MistakeOf(text string) *Mistake {
	found := columnSaid.FindStringSubmatch(text)
	if found == nil {
		return nil
	}
	column, err := strconv.Atoi(found[1])
	if err != nil {
		return nil
	}
	return &Mistake{text, column}
}
