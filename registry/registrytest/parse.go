package registrytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"muster/query"
	"muster/registry"
)

// parseScript reads a fleet script. Errors begin with the line's number.
func parseScript(text string, now time.Time) (*script, error) {
	s := &script{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if err := s.add(line, number, now); err != nil {
			return nil, fmt.Errorf("%d: %w", number, err)
		}
	}
	if n := len(s.asks); n > 0 && !s.asks[n-1].answered() {
		return nil, fmt.Errorf("%d: the last question has no answer", number)
	}
	return s, nil
}

func (a ask) answered() bool { return a.names != nil || a.column > 0 }

func (s *script) add(line string, number int, now time.Time) error {
	word, rest, _ := strings.Cut(line, " ")
	open := len(s.asks) > 0 && !s.asks[len(s.asks)-1].answered()
	switch {
	case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		return nil
	case line[0] == '\t' || line[0] == ' ':
		if !open {
			return errors.New("an answer without a question")
		}
		return s.asks[len(s.asks)-1].expect(strings.TrimSpace(line))
	case open:
		return errors.New("the question before has no answer")
	case word == "node":
		reg, err := parseNode(rest, now)
		s.fleet = append(s.fleet, reg)
		return err
	case word == "ask":
		q, err := parseQuestion(rest)
		s.asks = append(s.asks, ask{line: number, text: rest, question: q})
		return err
	}
	return fmt.Errorf("%q is neither node nor ask nor an answer", word)
}

// expect reads an answer.
func (a *ask) expect(line string) error {
	rest, isError := strings.CutPrefix(line, "error column ")
	if !isError {
		a.names = []string{}
		if line != "nobody" {
			a.names = strings.Fields(line)
		}
		return nil
	}
	column, problem, _ := strings.Cut(rest, " ")
	var err error
	if a.column, err = strconv.Atoi(column); err != nil || a.column < 1 || problem == "" {
		return errors.New("want: error column NUMBER TEXT")
	}
	a.problem = problem
	return nil
}

// parseQuestion reads what follows "ask".
func parseQuestion(text string) (Question, error) {
	var q Question
	for {
		word, rest, _ := strings.Cut(text, " ")
		name, value, isOption := strings.Cut(word, "=")
		switch {
		case word == "param":
			binding, after, _ := strings.Cut(rest, " ")
			name, value, _ := strings.Cut(binding, "=")
			if q.Filters.Named == nil {
				q.Filters.Named = map[string]any{}
			}
			q.Filters.Named[name] = parseValue(value)
			rest = after
		case word == "flags":
			return q, q.flags(rest)
		case isOption && name == "state":
			q.State = value
		case isOption && name == "collective":
			q.Collective = value
		case isOption && name == "limit":
			var err error
			if q.Limit, err = strconv.Atoi(value); err != nil {
				return q, err
			}
		default:
			var err error
			q.Filters.Query = rest
			q.Filters.Dialect, err = query.ParseDialect(word)
			return q, err
		}
		text = rest
	}
}

// flags reads filters as on a command line; quotes keep blanks together.
func (q *Question) flags(text string) error {
	words := splitWords(text)
	if len(words)%2 != 0 {
		return errors.New("a flag without a value")
	}
	for i := 0; i < len(words); i += 2 {
		list, ok := map[string]*[]string{
			"-W": &q.Filters.With, "-S": &q.Filters.Select, "-F": &q.Filters.Fact,
			"-C": &q.Filters.Class, "-A": &q.Filters.Agent, "-I": &q.Filters.Identity,
		}[words[i]]
		if !ok {
			return fmt.Errorf("no flag %s", words[i])
		}
		*list = append(*list, unquote(words[i+1]))
	}
	return nil
}

// unquote takes off quotes around a whole word.
func unquote(word string) string {
	if n := len(word); n >= 2 && (word[0] == '"' || word[0] == '\'') && word[n-1] == word[0] {
		return word[1 : n-1]
	}
	return word
}

// parseNode reads what follows "node".
func parseNode(text string, now time.Time) (registry.Registration, error) {
	words := splitWords(text)
	if len(words) == 0 {
		return registry.Registration{}, errors.New("a node without a name")
	}
	reg := registry.Registration{Identity: words[0], Facts: map[string]any{}}
	if strings.HasPrefix(words[0], "{") {
		var err error
		if reg, err = registry.DecodeRegistration([]byte(words[0])); err != nil {
			return reg, err
		}
	}
	reg.Source, reg.Seen = registry.Import, now.Add(-time.Minute)
	var list *[]string
	for i := 1; i < len(words); i++ {
		switch word := words[i]; {
		case word == "class":
			list = &reg.Classes
		case word == "agent":
			list = &reg.Agents
		case word == "collective":
			list = &reg.Collectives
		case word == "seen" && i+2 < len(words) && words[i+2] == "ago":
			age, err := parseAge(words[i+1])
			if err != nil {
				return reg, err
			}
			reg.Seen = now.Add(-age)
			i += 2
		case list != nil:
			*list = append(*list, word)
		default:
			path, value, ok := strings.Cut(word, "=")
			if !ok {
				return reg, fmt.Errorf("%q is no fact", word)
			}
			if err := setFact(reg.Facts, strings.Split(path, "."), parseValue(value)); err != nil {
				return reg, err
			}
		}
	}
	return reg, nil
}

func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

func setFact(facts map[string]any, path []string, value any) error {
	for _, key := range path[:len(path)-1] {
		below, ok := facts[key].(map[string]any)
		if !ok && facts[key] != nil {
			return fmt.Errorf("%s is already a value", key)
		}
		if !ok {
			below = map[string]any{}
			facts[key] = below
		}
		facts = below
	}
	facts[path[len(path)-1]] = value
	return nil
}

// parseValue reads JSON, else text.
func parseValue(text string) any {
	if !json.Valid([]byte(text)) {
		return text
	}
	reg, err := registry.DecodeRegistration([]byte(`{"facts":{"v":` + text + `}}`))
	if err != nil {
		return text
	}
	return reg.Facts["v"]
}

// splitWords splits at blanks outside of quotes and brackets.
func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	depth, quote := 0, rune(0)
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth--
		case r == ' ' && depth == 0:
			if word.Len() > 0 {
				words = append(words, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words
}
