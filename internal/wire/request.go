package wire

import (
	"crypto/rand"
	"encoding/hex"
)

const requestIDDigits = 32

// NewRequestID returns 128 random bits as 32 lower-case hexadecimal digits.
func NewRequestID() string {
	id := make([]byte, requestIDDigits/2)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func isRequestID(id string) bool {
	if len(id) != requestIDDigits {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
