// Package qr draws QR codes (kvadrātkodi) as PNG and SVG.
package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the white margin around a code, in modules, that readers need.
const quiet = 4

// maxText bounds what is put into one code: an address.
const maxText = 1000

// ErrTooLong says that the text does not fit.
var ErrTooLong = errors.New("qr: text is empty or too long")

// modules returns the code of a text: true is black. Level M stands a good
// part of the picture being dirty.
func modules(text string) ([][]bool, error) {
	if text == "" || len(text) > maxText {
		return nil, ErrTooLong
	}
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("qr: %w", err)
	}
	size := code.Bounds().Dx()
	rows := make([][]bool, size)
	for y := range rows {
		rows[y] = make([]bool, size)
		for x := range rows[y] {
			r, _, _, _ := code.At(x, y).RGBA()
			rows[y][x] = r == 0
		}
	}
	return rows, nil
}

// PNG returns a picture in which a module is scale pixels wide.
func PNG(text string, scale int) ([]byte, error) {
	rows, err := modules(text)
	if err != nil {
		return nil, err
	}
	scale = min(max(scale, 1), 40)
	side := (len(rows) + 2*quiet) * scale
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y, row := range rows {
		for x, black := range row {
			if !black {
				continue
			}
			for dy := range scale {
				line := picture.Pix[((y+quiet)*scale+dy)*picture.Stride:]
				for dx := range scale {
					line[(x+quiet)*scale+dx] = 1
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("qr: %w", err)
	}
	return b.Bytes(), nil
}

// SVG returns a picture of any size.
func SVG(text string) ([]byte, error) {
	rows, err := modules(text)
	if err != nil {
		return nil, err
	}
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	side := len(rows) + 2*quiet
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`,
		side, side, side, side, path.String()), nil
}
