// Package oneroster reads what a school's system says about its pupils: a zip
// of CSV files after 1EdTech's OneRoster 1.1, as E-klase and others export it.
//
// Read checks the archive as a whole and refuses it with everything that is
// wrong with its form. Archive.School then returns what it says about one
// school; a row that is wrong there is reported, and the others are taken.
// Only what is needed is read: all other columns and files are dropped before
// anything is kept of them (C-50).
//
// Grades are in lineItems.csv and results.csv, as OneRoster has them. It has no
// absences, so these are in a file of our own, absences.csv, which the manifest
// names as file.absences:
//
//	studentSourcedId  the pupil
//	date              day of the lesson, such as 2025-09-12
//	lesson            its number on that day; may be missing
//	subject           may be missing
//	kind              excused or attaisnots, unexcused or neattaisnots, else unknown
package oneroster

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"

	"zurnals/domain"
)

// Bounds of an archive. One of a school with 5,000 pupils has about 2 MiB.
const (
	MaxArchive  = 16 << 20 // as sent
	maxEntries  = 64
	maxUnpacked = 64 << 20
	maxRatio    = 200 // of one file above a mebibyte: CSV is packed to a tenth or so
	maxRows     = 200_000
	maxColumns  = 200
	maxValue    = 2000 // bytes
)

// Refusals of an archive.
var (
	ErrArchive   = domain.Refuse(domain.Invalid, "oneroster.archive", "not a zip archive, or a damaged one")
	ErrTooLarge  = domain.Refuse(domain.TooLarge, "oneroster.too_large", "the archive is too large, or would be when unpacked")
	ErrEntry     = domain.Refuse(domain.Invalid, "oneroster.entry", "the files must lie at the top of the archive, each once")
	ErrManifest  = domain.Refuse(domain.Invalid, "oneroster.manifest", "the manifest is missing or wrong")
	ErrVersion   = domain.Refuse(domain.Invalid, "oneroster.version", "only OneRoster 1.1 is read")
	ErrMissing   = domain.Refuse(domain.Invalid, "oneroster.file_missing", "a file is missing that is needed or named in the manifest")
	ErrDelta     = domain.Refuse(domain.Invalid, "oneroster.delta", "only whole files (bulk) are taken, not changes (delta)")
	ErrStatus    = domain.Refuse(domain.Invalid, "oneroster.bulk_status", "in a whole file (bulk) the column status is empty")
	ErrModified  = domain.Refuse(domain.Invalid, "oneroster.delta_undated", "in a file of changes (delta) each row has status and dateLastModified")
	ErrHeader    = domain.Refuse(domain.Invalid, "oneroster.header", "a column is missing or stands there twice")
	ErrCSV       = domain.Refuse(domain.Invalid, "oneroster.csv", "not CSV in UTF-8")
	ErrForeign   = domain.Refuse(domain.Invalid, "oneroster.other_school", "the file says nothing of this school")
	ErrNotSchool = domain.Refuse(domain.Invalid, "oneroster.not_a_school", "the organisation is not a school")
)

// An Archive is a OneRoster archive whose form is right.
type Archive struct {
	sessions, orgs, classes, courses, users, enrolments *table
	lineItems, results, absences                        *table

	system   string // what the source calls itself
	warnings []Problem
}

// A Problem is what is wrong with a row. It says where, never what stands there.
type Problem struct {
	File    string
	Row     int // line of the file, the heading being 1
	Field   string
	Code    string
	Warning bool // the row is taken all the same
}

// Read reads an archive. Its error is a *domain.Error with what is wrong.
func Read(data []byte) (*Archive, error) {
	files, err := unpack(data)
	if err != nil {
		return nil, err
	}
	a := new(Archive)
	modes, err := a.manifest(files["manifest"])
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		to     **table
		name   string
		needed bool
		layout layout
	}{
		{&a.sessions, "academicSessions", true, sessionColumns},
		{&a.orgs, "orgs", true, orgColumns},
		{&a.classes, "classes", true, classColumns},
		{&a.courses, "courses", false, courseColumns},
		{&a.users, "users", true, userColumns},
		{&a.enrolments, "enrollments", true, enrolmentColumns},
		{&a.lineItems, "lineItems", false, lineItemColumns},
		{&a.results, "results", false, resultColumns},
		{&a.absences, "absences", false, absenceColumns},
	} {
		content, ok := files[f.name]
		mode := modes[f.name]
		switch {
		case mode == absent && f.needed:
			return nil, ErrMissing.With(domain.Detail{File: f.name + ".csv", Code: ErrMissing.Code, Text: "is needed"})
		case mode == absent:
			*f.to = new(table)
			continue
		case !ok:
			return nil, ErrMissing.With(domain.Detail{File: f.name + ".csv", Code: ErrMissing.Code, Text: "is named in the manifest"})
		}
		if *f.to, err = parse(f.name+".csv", content, f.layout); err != nil {
			return nil, err
		}
		if err := (*f.to).checkMode(mode); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// unpack returns the CSV files of an archive by name without ending. It never
// holds more than maxUnpacked, whatever the archive says of itself.
func unpack(data []byte) (map[string][]byte, error) {
	if len(data) > MaxArchive {
		return nil, ErrTooLarge
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	switch {
	case errors.Is(err, zip.ErrInsecurePath):
		return nil, ErrEntry
	case err != nil:
		return nil, ErrArchive
	case len(z.File) > maxEntries:
		return nil, ErrTooLarge
	}
	files, left := make(map[string][]byte), int64(maxUnpacked)
	for _, f := range z.File {
		name, isCSV := strings.CutSuffix(f.Name, ".csv")
		refused := func(refusal *domain.Error, text string) error {
			return refusal.With(domain.Detail{File: shown(f.Name), Code: refusal.Code, Text: text})
		}
		switch _, twice := files[name]; {
		case strings.ContainsAny(f.Name, `/\:`) || !f.Mode().IsRegular():
			return nil, refused(ErrEntry, "lies in a folder or is none of the kind of file")
		case twice:
			return nil, refused(ErrEntry, "is there twice")
		case !isCSV:
			continue
		}
		content, err := inflate(f, left)
		switch {
		case errors.Is(err, ErrTooLarge):
			return nil, refused(ErrTooLarge, "is too large when unpacked")
		case err != nil:
			return nil, refused(ErrArchive, "is damaged or packed in a way that is not read")
		}
		left -= int64(len(content))
		files[name] = content
	}
	return files, nil
}

// inflate returns one file of the archive, at most limit bytes.
func inflate(f *zip.File, limit int64) ([]byte, error) {
	if packed := f.CompressedSize64; f.UncompressedSize64 > 1<<20 && (packed == 0 || f.UncompressedSize64/packed > maxRatio) {
		return nil, ErrTooLarge
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, limit+1)) // what the header says is not believed
	if int64(len(content)) > limit {
		return nil, ErrTooLarge
	}
	return content, err
}

// shown returns the name of an entry as it may be told.
func shown(name string) string {
	if line, err := domain.Line(name, 100); err == nil {
		return line
	}
	return "?"
}
