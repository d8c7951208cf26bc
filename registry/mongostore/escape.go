package mongostore

import "strings"

const (
	emptyKey  = `\e` // stands for the empty key
	numberKey = `\n` // the key of a number's text; no escaped key looks like it
)

var (
	escaper   = strings.NewReplacer(`.`, `．`, `$`, `＄`, `\`, `\\`, `．`, `\．`, `＄`, `\＄`)
	unescaper = strings.NewReplacer(`\\`, `\`, `\．`, `．`, `\＄`, `＄`, `．`, `.`, `＄`, `$`)
)

// escape makes a key that MongoDB reads as one name, and unescape reverses it.
func escape(key string) string {
	if key == "" {
		return emptyKey
	}
	return escaper.Replace(key)
}

func unescape(key string) string {
	if key == emptyKey {
		return ""
	}
	return unescaper.Replace(key)
}
