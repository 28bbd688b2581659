package identity

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"zurnals/domain"
)

// Bounds of what is known of a person.
const (
	NameMax     = 100 // characters
	EmailMax    = 254 // bytes
	PasswordMin = 12  // characters
	PasswordMax = 200 // characters
)

// Refusals of what is known of a person.
var (
	ErrEmail            = domain.Refuse(domain.Invalid, "identity.email", "not an e-mail address")
	ErrCodeMissing      = domain.Refuse(domain.Invalid, "identity.personal_code_missing", "a personal code is needed")
	ErrPasswordShort    = domain.Refuse(domain.Invalid, "identity.password_short", "a password has at least 12 characters")
	ErrPasswordLong     = domain.Refuse(domain.Invalid, "identity.password_long", "a password has at most 200 characters")
	ErrPasswordEncoding = domain.Refuse(domain.Invalid, "identity.password_characters", "the password is not readable as text")
)

// A Person is who an account is for.
type Person struct {
	GivenName, FamilyName string
	PersonalCode          domain.PersonalCode
	Email                 string
}

// ParsePerson reads the four fields of the form “Pievienot lietotāju”
// (EMU-015), and tells of every one that is wrong. An empty personal code is
// left to who needs one.
func ParsePerson(givenName, familyName, personalCode, email string) (Person, error) {
	var p Person
	var err error
	var check domain.Check
	p.GivenName, err = domain.Line(givenName, NameMax)
	check.Field("given_name", err)
	p.FamilyName, err = domain.Line(familyName, NameMax)
	check.Field("family_name", err)
	if strings.TrimSpace(personalCode) != "" {
		p.PersonalCode, err = domain.ParsePersonalCode(strings.TrimSpace(personalCode))
		check.Field("personal_code", err)
	}
	p.Email, err = ParseEmail(email)
	check.Field("email", err)
	if err := check.Err(); err != nil {
		return Person{}, err
	}
	return p, nil
}

// ParseEmail reads one e-mail address and nothing else: no display name, no
// comments, no quotes, no list, and above all no line breaks, which would let
// it add headers to a mail. Letters are ASCII; other domains are written in
// their xn-- form.
func ParseEmail(s string) (string, error) {
	s = strings.Trim(s, " ")
	local, host, ok := strings.Cut(s, "@")
	if !ok || len(s) > EmailMax || len(local) > 64 || !dotted(local, localByte) || !dotted(host, hostByte) {
		return "", ErrEmail
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", ErrEmail
		}
	}
	if top := labels[len(labels)-1]; len(labels) < 2 || len(top) < 2 || '0' <= top[0] && top[0] <= '9' {
		return "", ErrEmail
	}
	return local + "@" + strings.ToLower(host), nil
}

// dotted says whether s is parts of allowed bytes with single dots between.
func dotted(s string, allowed func(byte) bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if !allowed(part[i]) {
				return false
			}
		}
	}
	return true
}

func alphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}
func hostByte(b byte) bool { return alphanumeric(b) || b == '-' }
func localByte(b byte) bool {
	return alphanumeric(b) || strings.IndexByte("!#$%&'*+/=?^_`{|}~-", b) >= 0
}

// EmailClaim is the claim to an e-mail address: whoever spells it with other
// capitals means the same one.
func EmailClaim(email string) domain.Claim {
	return domain.Claim{Kind: "email", Value: strings.ToLower(email)}
}

// PersonalCodeClaim is the claim of an account to be the one of a person: a
// person has one account, wherever he works (S-03).
func PersonalCodeClaim(code domain.PersonalCode) domain.Claim {
	return domain.Claim{Kind: "personal_code", Value: string(code)}
}

// ParsePassword returns the password in the form in which it is kept and
// compared, whatever keyboard it is typed on. Spaces are part of it.
func ParsePassword(s string) (string, error) {
	if len(s) > 16*PasswordMax {
		return "", ErrPasswordLong
	}
	if !utf8.ValidString(s) {
		return "", ErrPasswordEncoding
	}
	s = norm.NFC.String(s)
	switch n := utf8.RuneCountInString(s); {
	case n < PasswordMin:
		return "", ErrPasswordShort
	case n > PasswordMax:
		return "", ErrPasswordLong
	}
	return s, nil
}
