package learner

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"zurnals/domain"
)

// Bounds of a pupil's password, in characters. It is shorter than that of
// staff: six-year-olds type it, and what it opens is their own attendance.
const (
	PasswordMin = 8
	PasswordMax = 200
)

// ErrPassword refuses what cannot be a pupil's password.
var ErrPassword = domain.Refuse(domain.Invalid, "learner.password", "a password has 8 to 200 characters and is not the user name")

// ParsePassword returns a password in the form in which it is kept and
// compared, whatever keyboard it is typed on. Spaces are part of it.
func ParsePassword(s, username string) (string, error) {
	if len(s) > 16*PasswordMax || !utf8.ValidString(s) {
		return "", ErrPassword
	}
	s = norm.NFC.String(s)
	if n := utf8.RuneCountInString(s); n < PasswordMin || n > PasswordMax || s == username {
		return "", ErrPassword
	}
	return s, nil
}
