package domain_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"zurnals/domain"
	"zurnals/internal/trace"
)

// The vectors are public examples and computed ones: dates, centuries, check
// digits, the new random form, and all that people type instead of a hyphen.
func TestPersonalCodes(t *testing.T) {
	trace.Covers(t, "R26")
	file, err := os.Open("testdata/personas_kodi.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+28 {
		t.Fatalf("%d vectors", len(rows)-1)
	}
	for _, row := range rows[1:] {
		input, normal, valid, why := row[0], row[1], row[3] == "1", row[4]
		code, err := domain.ParsePersonalCode(input)
		switch {
		case valid && err != nil:
			t.Errorf("%q: %v, but it is valid: %s", input, err, why)
		case valid && normal != "" && code.Full() != normal:
			t.Errorf("%q: read as %s, want %s", input, code.Full(), normal)
		case !valid && !errors.Is(err, domain.ErrPersonalCode):
			t.Errorf("%q: accepted as %s: %s", input, code.Full(), why)
		}
	}
}

// However a code is printed or logged, its second half stays hidden.
func TestPersonalCodeIsMasked(t *testing.T) {
	code, err := domain.ParsePersonalCode("161175-19997")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("saved", "code", code)
	for _, shown := range []string{code.String(), fmt.Sprint(code), fmt.Sprintf("%v %+v %#v %s", code, code, code, code), log.String()} {
		if !strings.Contains(shown, "161175-*****") || strings.Contains(shown, "19997") {
			t.Errorf("shown as %s", shown)
		}
	}
	if domain.PersonalCode("").String() != "" || domain.PersonalCode("12").String() != "******-*****" {
		t.Error("no code, or half a code, is not masked")
	}
	if data, _ := json.Marshal(code); string(data) != `"16117519997"` {
		t.Errorf("stored as %s", data)
	}
}

func FuzzPersonalCode(f *testing.F) {
	for _, s := range []string{"161175-19997", " 161175 - 19997 ", "320000–12345", "32000O-12345", "", "120512-20070"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, err := domain.ParsePersonalCode(s)
		if err != nil {
			if code != "" {
				t.Errorf("%q: refused, but %q", s, string(code))
			}
			return
		}
		again, err := domain.ParsePersonalCode(code.Full())
		if err != nil || again != code || len(code) != 11 {
			t.Errorf("%q: read as %s, and that as %s, %v", s, code.Full(), again.Full(), err)
		}
	})
}
