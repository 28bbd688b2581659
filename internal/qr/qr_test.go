package qr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
)

const address = "https://zurnals.example/a/AZkABcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_abcd"

// TestPicture looks at the picture as a reader does: a white margin, and the
// three corners that say where the code is.
func TestPicture(t *testing.T) {
	rows, err := modules(address)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := PNG(address, 5)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if side := picture.Bounds().Dx(); side != (len(rows)+8)*5 || side != picture.Bounds().Dy() {
		t.Errorf("picture is %v for %d modules", picture.Bounds(), len(rows))
	}
	black := func(x, y int) bool {
		r, _, _, _ := picture.At((x+quiet)*5+2, (y+quiet)*5+2).RGBA()
		return r == 0
	}
	for y := -quiet; y < len(rows)+quiet; y++ {
		for x := -quiet; x < len(rows)+quiet; x++ {
			inside := x >= 0 && y >= 0 && x < len(rows) && y < len(rows)
			if black(x, y) != (inside && rows[y][x]) {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
	last := len(rows) - 1
	for _, corner := range [][2]int{{0, 0}, {last - 6, 0}, {0, last - 6}} {
		for i := range 7 {
			if !black(corner[0]+i, corner[1]) || !black(corner[0], corner[1]+i) || !black(corner[0]+3, corner[1]+3) {
				t.Errorf("corner %v is not there", corner)
			}
		}
	}
}

func TestSVG(t *testing.T) {
	raw, err := SVG(address)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTooLong(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("a", maxText+1)} {
		if _, err := PNG(text, 5); !errors.Is(err, ErrTooLong) {
			t.Errorf("%d characters: %v", len(text), err)
		}
		if _, err := SVG(text); !errors.Is(err, ErrTooLong) {
			t.Errorf("%d characters: %v", len(text), err)
		}
	}
	if _, err := PNG(strings.Repeat("ā", maxText/2), 1); err != nil {
		t.Error(err)
	}
}
