package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"zurnals/internal/embedpg"
	"zurnals/migrations"
)

// templateLock keeps test processes from making the same template twice.
const templateLock = 0x706774657374 // "pgtest"

var (
	templateMu   sync.Mutex
	templateDone string // the template this process has seen
)

// makeTemplate gives the name of a migrated database to clone, and makes it if
// this form of the migrations has none yet.
func makeTemplate(ctx context.Context, super *pgx.Conn, server embedpg.Address) (string, error) {
	templateMu.Lock()
	defer templateMu.Unlock()
	if templateDone != "" {
		return templateDone, nil
	}
	name, err := templateName()
	if err != nil {
		return "", err
	}
	if _, err := super.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(templateLock)); err != nil {
		return "", err
	}
	defer super.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(templateLock))
	var exists bool
	if err := super.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return "", err
	}
	if !exists {
		if err := buildTemplate(ctx, super, server, name); err != nil {
			return "", err
		}
	}
	templateDone = name
	return name, nil
}

// buildTemplate migrates under another name and renames, so that a template is
// either whole or not there.
func buildTemplate(ctx context.Context, super *pgx.Conn, server embedpg.Address, name string) error {
	draft := name + "_draft"
	if _, err := super.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", draft)); err != nil {
		return err
	}
	if err := clone(ctx, super, "template0", draft); err != nil {
		return err
	}
	if err := migrations.Up(ctx, server.DSN(embedpg.Owner, draft)); err != nil {
		return err
	}
	_, err := super.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", draft, name))
	return err
}

// templateName changes with everything that shapes the template: the files and
// the version of river.
func templateName() (string, error) {
	sum := sha256.New()
	files := migrations.Files()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.HasPrefix(dep.Path, "github.com/riverqueue/river") {
				fmt.Fprintln(sum, dep.Path, dep.Version)
			}
		}
	}
	return "template_" + hex.EncodeToString(sum.Sum(nil)[:8]), nil
}
