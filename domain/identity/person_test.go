package identity_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"zurnals/domain/identity"
	"zurnals/internal/trace"
)

func TestEmails(t *testing.T) {
	for in, want := range map[string]string{
		"anna@skola.lv":           "anna@skola.lv",
		" Anna.Berzina@SKOLA.LV ": "Anna.Berzina@skola.lv",
		"o'neil+x@a-b.example":    "o'neil+x@a-b.example",
		"a@xn--skla-sqa.lv":       "a@xn--skla-sqa.lv",
	} {
		if got, err := identity.ParseEmail(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "anna", "@skola.lv", "anna@", "anna@skola", "anna@@skola.lv", "anna@skola..lv", "anna@.skola.lv", ".anna@skola.lv",
		"anna.@skola.lv", "Anna <anna@skola.lv>", "anna@skola.lv, b@skola.lv", "anna@skola.lv\r\nBcc: x@y.lv", "anna\n@skola.lv",
		"anna@skola.lv\n", "anna@[127.0.0.1]", "anna@127.0.0.1", `"a b"@skola.lv`, "anna(x)@skola.lv", "an na@skola.lv", "ānna@skola.lv",
		"anna@škola.lv", "anna@-skola.lv", "anna@skola-.lv", "anna@skola.l", "anna@skola.lv\x00",
	} {
		if got, err := identity.ParseEmail(in); !errors.Is(err, identity.ErrEmail) {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

func TestEmailsAreBounded(t *testing.T) {
	local, label := strings.Repeat("a", 64), strings.Repeat("b", 63)
	host := label + "." + label + "." + strings.Repeat("c", 58) + ".lv" // 64+1+189 = 254
	for in, ok := range map[string]bool{
		local + "@" + host:            true,
		local + "@" + "c" + host:      false, // a label of 64, and 255 in all
		"a" + local + "@skola.lv":     false,
		"a@" + label + ".lv":          true,
		"a@" + label + "b.lv":         false,
		strings.Repeat("a@b.lv", 1e5): false,
	} {
		if _, err := identity.ParseEmail(in); (err == nil) != ok {
			t.Errorf("%.80s (%d bytes): %v", in, len(in), err)
		}
	}
}

func TestEmailClaimIgnoresCase(t *testing.T) {
	trace.Covers(t, "EMU-059")
	if identity.EmailClaim("Anna@skola.lv") != identity.EmailClaim("anna@skola.lv") {
		t.Error("capitals make another address")
	}
}

// Whatever is taken for an address is one for the mail library too, alone and
// without a way to add headers.
func FuzzEmail(f *testing.F) {
	for _, s := range []string{"anna@skola.lv", "Anna <anna@skola.lv>", "a@b.lv\r\nBcc: x@y.lv", `"a b"@c.lv`, "a@[::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := identity.ParseEmail(s)
		if err != nil {
			return
		}
		if addr, err := mail.ParseAddress(email); err != nil || addr.Address != email || addr.Name != "" {
			t.Errorf("%q: %q is %v, %v", s, email, addr, err)
		}
		if again, err := identity.ParseEmail(email); again != email || err != nil || strings.ContainsAny(email, "\r\n <>,") {
			t.Errorf("%q: %q, and that again %q, %v", s, email, again, err)
		}
	})
}

func TestPasswords(t *testing.T) {
	trace.Covers(t, "EMU-054")
	for in, want := range map[string]error{
		strings.Repeat("ā", 11):    identity.ErrPasswordShort,
		strings.Repeat("ā", 12):    nil, // characters, not bytes
		strings.Repeat("a", 200):   nil,
		strings.Repeat("a", 201):   identity.ErrPasswordLong,
		strings.Repeat("a", 1<<20): identity.ErrPasswordLong,
		"parole\xff parole":        identity.ErrPasswordEncoding,
		" trīs vārdi ":             nil,
	} {
		if _, err := identity.ParsePassword(in); !errors.Is(err, want) {
			t.Errorf("%.30q: %v, want %v", in, err, want)
		}
	}
	composed, _ := identity.ParsePassword("trīs zaļi vārdi")
	apart, err := identity.ParsePassword("tri\u0304s zal\u0327i va\u0304rdi")
	if err != nil || composed != "trīs zaļi vārdi" || apart != composed {
		t.Error(composed, apart, err)
	}
}
