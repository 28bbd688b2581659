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

// Text returns s as text of any number of lines, and of none. Each is a Line.
func Text(s string, max int) (string, error) {
	if len(s) > 16*max {
		return "", ErrTextLong
	}
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(s)) {
		kept, err := Line(line, max)
		if err != nil && err != ErrTextMissing {
			return "", err
		}
		lines = append(lines, kept)
	}
	kept := strings.TrimSpace(strings.Join(lines, "\n"))
	if utf8.RuneCountInString(kept) > max {
		return "", ErrTextLong
	}
	return kept, nil
}
