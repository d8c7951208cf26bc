package cli

// nearest is the word of the list that takes the fewest letters to become.
func nearest(word string, list []string) string {
	best, least := "", -1
	for _, candidate := range list {
		if d := distance(word, candidate); least < 0 || d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the letters to insert, remove or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
