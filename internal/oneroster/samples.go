package oneroster

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed testdata/roster_lv/01_initial/*.csv testdata/edfi_1.1/*.csv
var samples embed.FS

// Sample archives, for the demo school and the tour. Where they are from says
// testdata/README.md.
const (
	SampleSchool = "roster_lv/01_initial" // Parauga vidusskola: 120 pupils in 6 classes
	SampleEdFi   = "edfi_1.1"             // Grand Bend High School, of the Ed-Fi Alliance
)

// Sample returns one of the sample archives.
func Sample(name string) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	names, err := fs.Glob(samples, path.Join("testdata", name, "*.csv"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("oneroster: there is no sample %q", name)
	}
	for _, name := range names {
		data, err := samples.ReadFile(name)
		if err != nil {
			return nil, err
		}
		f, err := w.Create(path.Base(name))
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
