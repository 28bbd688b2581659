package domain

import (
	"log/slog"
	"strings"
	"time"
)

// A PersonalCode is a Latvian personal code, personas kods: eleven digits. It
// is an attribute of a person, never a key and never a source of age (S-35).
// However it is printed or logged, only the first six digits are shown; JSON
// has it in full.
type PersonalCode string

// ErrPersonalCode refuses what cannot be a personal code.
var ErrPersonalCode = Refuse(Invalid, "personal_code.invalid", "not a personal code")

// ParsePersonalCode reads a code however it is usually typed: with a hyphen or
// a dash, without, or with spaces. A code of the old form holds a date and a
// check digit; one of the new form (32… to 39…) is random.
func ParsePersonalCode(s string) (PersonalCode, error) {
	var digits strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r == '-' || r == '–' || r == '—' || r == '‐' || r == '‑' || r == '−' || r == ' ' || r == '\u00a0':
		default:
			return "", ErrPersonalCode
		}
	}
	c := digits.String()
	if len(c) != 11 {
		return "", ErrPersonalCode
	}
	if c[0] == '3' && c[1] >= '2' {
		return PersonalCode(c), nil
	}
	century := map[byte]string{'0': "18", '1': "19", '2': "20"}[c[6]]
	if _, err := time.Parse("02012006", c[:4]+century+c[4:6]); err != nil || century == "" {
		return "", ErrPersonalCode
	}
	sum := 1101
	for i, weight := range [10]int{1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum -= weight * int(c[i]-'0')
	}
	if sum%11%10 != int(c[10]-'0') { // residue 10 is written as 0
		return "", ErrPersonalCode
	}
	return PersonalCode(c), nil
}

// Full returns the code as it is printed on documents. Only who needs the
// whole code calls it.
func (c PersonalCode) Full() string {
	if len(c) != 11 {
		return ""
	}
	return string(c[:6]) + "-" + string(c[6:])
}

// String returns the code with its second half masked, or nothing for none.
func (c PersonalCode) String() string {
	switch len(c) {
	case 0:
		return ""
	case 11:
		return string(c[:6]) + "-*****"
	}
	return "******-*****"
}

func (c PersonalCode) GoString() string     { return c.String() }
func (c PersonalCode) LogValue() slog.Value { return slog.StringValue(c.String()) }
