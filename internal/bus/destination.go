package bus

import (
	"errors"
	"strings"
)

// kind is how a broker hands out what is sent to a destination.
type kind int

const (
	toEach  kind = iota // every subscription whose key fits gets a copy
	toOne               // one subscription gets it; kept until then
	private             // the queue behind somebody's reply-to
)

// destination is the value of a destination header, taken apart.
type destination struct {
	text  string
	kind  kind
	group string // what a key is looked up in: "/exchange/NAME" or "/topic"; queues: empty
	key   string // routing key, or the name of the queue
	words bool   // the key's words are matched, with * and #; else whole and literally
}

var errDestination = errors.New(`a destination is /exchange/NAME[/KEY], /topic/NAME, /queue/NAME or, as reply-to, /temp-queue/NAME`)

const (
	exchangePrefix = "/exchange/"
	topicPrefix    = "/topic/"
	queuePrefix    = "/queue/"
	replyPrefix    = "/reply-queue/"
	tempPrefix     = "/temp-queue/"
)

func parseDestination(text string) (destination, error) {
	d := destination{text: text}
	if rest, ok := strings.CutPrefix(text, exchangePrefix); ok {
		name, key, _ := strings.Cut(rest, "/")
		if name == "" {
			return d, errDestination
		}
		d.group, d.key = exchangePrefix+name, key
		d.words = strings.HasSuffix(name, "_broadcast")
		return d, nil
	}
	if key, ok := strings.CutPrefix(text, topicPrefix); ok && key != "" {
		d.group, d.key, d.words = "/topic", key, true
		return d, nil
	}
	if name, ok := strings.CutPrefix(text, queuePrefix); ok && name != "" {
		d.kind, d.key = toOne, name
		return d, nil
	}
	if name, ok := strings.CutPrefix(text, replyPrefix); ok && name != "" {
		d.kind, d.key = private, name
		return d, nil
	}
	return d, errDestination
}

// pattern says whether a subscription to d can receive from more than one key.
func (d destination) pattern() bool {
	return d.words && strings.ContainsAny(d.key, "*#")
}

// matchWords says whether the words of a key fit a pattern in which * stands
// for one word and # for any number of them, none included.
func matchWords(pattern, key []string) bool {
	p, k := 0, 0
	hash, from := -1, 0 // the last # seen, and where the words after it were tried
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			hash, from = p, k
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == key[k]):
			p++
			k++
		case hash >= 0:
			from++
			p, k = hash+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}

// splitKey returns the words of a routing key.
func splitKey(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}
