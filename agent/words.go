package agent

import (
	"errors"
	"fmt"
	"strings"
)

// splitWords splits a command line as a POSIX shell does, by blanks, quotes
// and backslashes. What only a shell could do is refused, but for globs, which
// stay as they are. $ARG1$ and the like pass; they are no variables of a shell.
func splitWords(line string) ([]string, error) {
	s := splitter{rest: line}
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		if err := s.take(c); err != nil {
			return nil, err
		}
	}
	s.end()
	if len(s.words) == 0 {
		return nil, errors.New("it names no program")
	}
	return s.words, nil
}

// splitter has the words so far, the one it is in, and what is still to read.
type splitter struct {
	words  []string
	word   strings.Builder
	inWord bool
	rest   string
}

func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) add(c byte) {
	s.word.WriteByte(c)
	s.inWord = true
}

// take deals with one byte outside quotes.
func (s *splitter) take(c byte) error {
	switch {
	case c == ' ' || c == '\t':
		s.end()
	case c == '\'':
		return s.single()
	case c == '"':
		return s.double()
	case c == '\\':
		if s.rest == "" {
			return errors.New("it ends in a backslash")
		}
		s.add(s.rest[0])
		s.rest = s.rest[1:]
	case c == '#' && !s.inWord:
		s.rest = ""
	case strings.IndexByte("|&;<>()`\n\r\x00", c) >= 0:
		return fmt.Errorf("it has %q in it", c)
	case c == '$':
		return s.dollar()
	default:
		s.add(c)
	}
	return nil
}

// dollar lets a macro pass and refuses variables and substitutions.
func (s *splitter) dollar() error {
	macro := argMacro.FindString("$" + s.rest)
	if macro == "" || !strings.HasPrefix("$"+s.rest, macro) {
		return errors.New(`it has '$' in it`)
	}
	s.word.WriteString(macro)
	s.inWord = true
	s.rest = s.rest[len(macro)-1:]
	return nil
}

func (s *splitter) single() error {
	text, rest, ok := strings.Cut(s.rest, "'")
	if !ok {
		return errors.New("a quote does not end")
	}
	s.word.WriteString(text)
	s.inWord, s.rest = true, rest
	return nil
}

func (s *splitter) double() error {
	s.inWord = true
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch c {
		case '"':
			return nil
		case '`':
			return fmt.Errorf("it has %q in it", c)
		case '$':
			if err := s.dollar(); err != nil {
				return err
			}
		case '\\':
			if s.rest != "" && strings.IndexByte("\"\\$`", s.rest[0]) >= 0 {
				c = s.rest[0]
				s.rest = s.rest[1:]
			}
			s.add(c)
		default:
			s.add(c)
		}
	}
	return errors.New("a quote does not end")
}
