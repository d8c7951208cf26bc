// Package near finds the word that was meant by one that was mistyped.
//
//	word, steps := near.Word("serverz", []string{"servers", "saved"}) // "servers", 1
package near

// Word is the word of a list that takes the fewest steps to become, and how
// many: the letters to insert, remove or change (Levenshtein). Of an empty
// list it is "" and the letters of word.
func Word(word string, list []string) (nearest string, steps int) {
	steps = len(word)
	for i, candidate := range list {
		if d := distance(word, candidate); i == 0 || d < steps {
			nearest, steps = candidate, d
		}
	}
	return nearest, steps
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, changed)
		}
	}
	return row[len(b)]
}
