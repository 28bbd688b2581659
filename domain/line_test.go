package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"zurnals/domain"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		in, want string
		err      error
	}{
		{"Anna", "Anna", nil},
		{"  Anna   Rita ", "Anna Rita", nil},
		{"Be\u0304rzin\u0327a", "B\u0113rzi\u0146a", nil}, // NFD is the same name
		{"O’Neil-Āde", "O’Neil-Āde", nil},
		{"", "", domain.ErrTextMissing},
		{" \u00a0 ", "", domain.ErrTextMissing},
		{strings.Repeat("ā", 10), strings.Repeat("ā", 10), nil},
		{strings.Repeat("ā", 11), "", domain.ErrTextLong},
		{strings.Repeat("a", 1<<20), "", domain.ErrTextLong},
		{"An\u202ena", "", domain.ErrTextCharacters},
		{"An\u200bna", "", domain.ErrTextCharacters},
		{"An\nna", "", domain.ErrTextCharacters},
		{"An\x00na", "", domain.ErrTextCharacters},
		{"\x7fAnna", "", domain.ErrTextCharacters},
		{"An\xffna", "", domain.ErrTextCharacters},
	} {
		got, err := domain.Line(test.in, 10)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%.40q: %q, %v", test.in, got, err)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"Anna", " Be\u0304rzin\u0327a ", "a\u0344", "\u202e", "\xff", "ﷺ", "\u0958"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, err := domain.Line(s, 40)
		if err != nil {
			return
		}
		if again, err := domain.Line(line, 40); again != line || err != nil {
			t.Errorf("%q: %q, and that again %q, %v", s, line, again, err)
		}
		if n := utf8.RuneCountInString(line); n < 1 || n > 40 || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("%q: %q", s, line)
		}
	})
}

func TestCheckTellsEverything(t *testing.T) {
	var check domain.Check
	check.Field("a", nil)
	if err := check.Err(); err != nil {
		t.Fatal(err)
	}
	check.Field("b", domain.ErrDate)
	if err := check.Err(); !errors.Is(err, domain.ErrDate) {
		t.Error(err)
	}
	check.Field("c", domain.ErrTextLong)
	var refusal *domain.Error
	if err := check.Err(); !errors.Is(err, domain.ErrFields) || !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	if d := refusal.Details; len(d) != 2 || d[0].Field != "b" || d[0].Code != "date.invalid" || d[1].Field != "c" {
		t.Errorf("%+v", d)
	}
	broken := errors.New("disk is full")
	if check.Field("d", broken); check.Err() != broken {
		t.Error("an error of ours was told as a wrong field")
	}
}

func TestDates(t *testing.T) {
	for _, s := range []string{"", "2025-9-1", "2025-02-29", "01.09.2025", "2025-09-01T00:00:00Z", "0000-01-01"} {
		if d, err := domain.ParseDate(s); !errors.Is(err, domain.ErrDate) {
			t.Errorf("%q is %q", s, d)
		}
	}
	day, err := domain.ParseDate("2024-02-29")
	if err != nil || day.DaysUntil("2024-03-31") != 31 || day.DaysUntil(day) != 0 {
		t.Error(day, err)
	}
	if start := day.Start(domain.Riga); start.UTC().Format(time.RFC3339) != "2024-02-28T22:00:00Z" || domain.DateOf(start) != day {
		t.Error(start)
	}
}

func FuzzDate(f *testing.F) {
	f.Add("2025-09-01")
	f.Add("2024-02-30")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := domain.ParseDate(s); err == nil && (string(d) != s || domain.DateOf(d.Start(time.UTC)) != d) {
			t.Errorf("%q is %q", s, d)
		}
	})
}
