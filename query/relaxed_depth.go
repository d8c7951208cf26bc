package query

import "fmt"

// relaxedDepth refuses nesting beyond maxDepth before the grammar, which is
// recursive, sees the text. Most texts hold too few brackets to be looked at
// closely.
func relaxedDepth(text string) error {
	brackets := 0
	for i := range len(text) {
		if c := text[i]; c == '{' || c == '[' || c == '(' {
			brackets++
		}
	}
	if brackets <= maxDepth {
		return nil
	}
	tokens, err := relaxedLexer.LexString("", text)
	for depth := 0; err == nil; {
		t, lexErr := tokens.Next()
		if lexErr != nil || t.EOF() {
			break
		}
		switch t.Type {
		case relaxedTokens["DocOpen"], relaxedTokens["ListOpen"], relaxedTokens["Call"]:
			if depth++; depth > maxDepth {
				return &SyntaxError{Offset: t.Pos.Offset, End: tokenEnd(t), Problem: fmt.Sprintf("brackets are nested deeper than %d", maxDepth), Want: "a flatter query"}
			}
		case relaxedTokens["DocClose"], relaxedTokens["ListClose"], relaxedTokens["CallClose"]:
			depth--
		}
	}
	return nil
}
