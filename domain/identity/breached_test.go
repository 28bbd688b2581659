package identity_test

import (
	"errors"
	"strings"
	"testing"

	"zurnals/domain/identity"
)

// A password is long and not on the list; nothing else is asked of it.
func TestPasswordsThatMayBeChosen(t *testing.T) {
	for password, want := range map[string]error{
		"aaaaaaaaaaa":                   identity.ErrPasswordShort, // 11
		"trīs zaļi vā":                  nil,                       // 12
		"pareizs zirgs baterija":        nil,
		"tikai mazie burti":             nil,
		"1qaz2wsx3edc":                  identity.ErrPasswordBreached,
		"1QAZ2wsx3EDC":                  identity.ErrPasswordBreached,
		"qwerty123456":                  identity.ErrPasswordBreached,
		"qwertyqwerty":                  identity.ErrPasswordBreached,
		"qwertyqwerty trīs zaļi":        nil,
		"unbelievable":                  identity.ErrPasswordBreached,
		strings.Repeat("ā", 200):        nil,
		strings.Repeat("ā", 201):        identity.ErrPasswordLong,
		"trīs zaļi vārdi\xff":           identity.ErrPasswordEncoding,
		"a long one with no capital no": nil,
	} {
		got, err := identity.ChoosePassword(password)
		if !errors.Is(err, want) || err == nil && got == "" {
			t.Errorf("%q: %v, want %v", password, err, want)
		}
	}
	// Who has such a password already signs in with it.
	if _, err := identity.ParsePassword("qwerty123456"); err != nil {
		t.Error(err)
	}
}

func BenchmarkChoosePassword(b *testing.B) {
	for b.Loop() {
		if _, err := identity.ChoosePassword("pareizs zirgs baterija"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzChoosePassword(f *testing.F) {
	f.Add("qwerty123456")
	f.Add("trīs zaļi vārdi")
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, s string) {
		chosen, err := identity.ChoosePassword(s)
		if err != nil {
			return
		}
		if again, err := identity.ChoosePassword(chosen); err != nil || again != chosen {
			t.Errorf("%q is chosen as %q, but that as %q, %v", s, chosen, again, err)
		}
	})
}
