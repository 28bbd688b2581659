package httpapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"zurnals/internal/sheet"
)

// Content types of exported tables.
const (
	kindXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	kindCSV  = "text/csv; charset=utf-8"
)

// A tableFile is a table while it is written to a temporary file.
type tableFile struct {
	out    *os.File
	format string // xlsx or csv

	name  string // that it is saved under, without the part after the dot
	table sheet.Table
}

// tableFile has fill write a table, row by row, and then sends the file: the
// database does not wait for a slow client, and what fails is told before
// anything is sent.
func (a *API) tableFile(ctx context.Context, format string, fill func(*tableFile) error) (*huma.StreamResponse, error) {
	file, err := os.CreateTemp("", "zurnals-export-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil { // it lives as long as it is open
		return nil, errors.Join(err, file.Close())
	}
	f := &tableFile{out: file, format: format}
	err = fill(f)
	if err == nil {
		err = f.table.Finish()
	}
	if f.table != nil {
		err = errors.Join(err, f.table.Close())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", map[string]string{"xlsx": kindXLSX, "csv": kindCSV}[format])
		c.SetHeader("Content-Disposition", attachment(f.name+"."+format))
		c.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		c.SetStatus(http.StatusOK)
		if _, err := io.Copy(c.BodyWriter(), file); err != nil {
			a.Log.DebugContext(ctx, "export not sent", "err", err) // the client has gone
		}
		if err := file.Close(); err != nil {
			a.Log.ErrorContext(ctx, "export not closed", "err", err)
		}
	}}, nil
}

// begin begins the table: name is that of the file, title that of the sheet.
func (f *tableFile) begin(name, title string) (err error) {
	f.name = name
	if f.format == "csv" {
		f.table, err = sheet.NewCSV(f.out)
	} else {
		f.table, err = sheet.NewXLSX(f.out, title)
	}
	return err
}

// attachment names a file to be saved, in any alphabet (RFC 6266).
func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
