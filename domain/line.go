package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Refusals of a line of text.
var (
	ErrTextMissing    = Refuse(Invalid, "text.missing", "must not be empty")
	ErrTextLong       = Refuse(Invalid, "text.too_long", "is too long")
	ErrTextCharacters = Refuse(Invalid, "text.characters", "holds characters that do not belong in a line of text")
)

// Line returns s as one line of text, such as a name or a title: in NFC, so
// that equal names are equal strings, without spaces around it and with one
// between words. Line breaks, control characters and invisible ones that turn
// the direction of writing are refused: they are never part of a name, and
// they can make it look like another. Max is counted in characters.
func Line(s string, max int) (string, error) {
	if len(s) > 16*max { // before any work on it
		return "", ErrTextLong
	}
	if !utf8.ValidString(s) {
		return "", ErrTextCharacters
	}
	s = strings.TrimSpace(s)
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == utf8.RuneError {
			return "", ErrTextCharacters
		}
	}
	s = norm.NFC.String(strings.Join(strings.Fields(s), " "))
	switch {
	case s == "":
		return "", ErrTextMissing
	case utf8.RuneCountInString(s) > max:
		return "", ErrTextLong
	}
	return s, nil
}
