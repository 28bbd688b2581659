// Package archtest holds the program to its architecture: what may import
// what, and where time comes from. A change of the rules is a change of the
// architecture, and is made here, with its reason.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "zurnals"
	root   = "../.."
)

// A rule says what a package may import outside its tests: packages of this
// module, and modules of others. The first rule that matches a package holds.
type rule struct{ pkg, ours, theirs, why string }

var rules = []rule{
	{"domain", "", "github.com/google/uuid golang.org/x/text",
		"it is the language of all; names need Unicode's one form (x/text), which the standard library does not have"},
	{"domain/catalogue", "domain domain/*", "", "it lists the events of all contexts"},
	{"domain/domaintest", "domain", "", "it tells stories about any decider"},
	{"domain/*", "domain", "github.com/google/uuid golang.org/x/text",
		"no context knows another: they share ids, and commands brings them together"},
	{"eventstore", "", "github.com/jackc/pgx github.com/google/uuid", "the log knows no meaning"},
	{"eventstore/eventstoretest", "eventstore", "github.com/google/uuid github.com/google/go-cmp", "one suite for both logs"},
	{"commands", "domain domain/* eventstore internal/oneroster", "github.com/google/uuid",
		"it alone decides and appends, and knows nothing of HTTP, of SQL or of read models; oneroster is a pure parser, whose snapshots it loads"},
	{"projections", "domain domain/access eventstore", "github.com/jackc/pgx github.com/google/uuid golang.org/x/text",
		"the engine knows rights, but no events"},
	{"projections/projectiontest", "domain domain/catalogue eventstore projections internal/pgtest", "github.com/jackc/pgx github.com/google/uuid github.com/google/go-cmp",
		"one check for all read models"},
	{"projections/*", "domain domain/* projections", "github.com/jackc/pgx github.com/google/uuid",
		"a read model follows from events and knows no other"},
	{"httpapi", "domain domain/access commands projections projections/* internal/sheet internal/qr internal/texts internal/sessions internal/securitylog internal/oneroster internal/proof internal/oidc internal/passkeys",
		"github.com/danielgtaylor/huma github.com/go-chi/chi github.com/go-chi/httprate github.com/google/uuid github.com/prometheus/client_golang github.com/jackc/pgx",
		"it reaches the log only through commands and projections, both of which ask for rights"},
	{"migrations", "", "github.com/jackc/pgx github.com/pressly/goose github.com/riverqueue/river", "SQL, and what runs it"},
	{"cmd/zurnals", "*", "*", "it wires: the only place that knows everything"},

	{"internal/reactions", "domain domain/* commands eventstore internal/mail",
		"github.com/ThreeDotsLabs/watermill github.com/ThreeDotsLabs/watermill-sql github.com/riverqueue/river github.com/jackc/pgx github.com/google/uuid",
		"it answers events with jobs"},
	{"internal/relay", "eventstore", "github.com/nats-io/nats.go github.com/google/uuid", "it carries the log as it is: sealed, and without meaning"},
	{"internal/replay", "domain domain/access commands", "", "it writes histories as text"},
	{"internal/proof", "domain eventstore", "golang.org/x/mod github.com/jackc/pgx github.com/google/uuid",
		"it vouches for what is stored, whatever it means: it reads the table itself"},
	{"internal/mail", "domain", "github.com/wneessen/go-mail github.com/jackc/pgx github.com/google/uuid", "adapter: letters"},
	{"internal/mail/mailtest", "", "github.com/emersion/go-smtp github.com/emersion/go-sasl", "a mail server for tests"},
	{"internal/metrics", "eventstore", "github.com/jackc/pgx github.com/prometheus/client_golang", "it measures; what it measures it is given"},
	{"internal/demo", "domain domain/* commands", "golang.org/x/sync", "it plays the people of a whole municipality, with the rights that they have"},
	{"internal/tour", "internal/oidc/standin", "github.com/jackc/pgx github.com/xuri/excelize", "it plays the people who use the program, and knows it from outside only"},
	{"internal/oneroster", "domain", "golang.org/x/text", "adapter: the roster format"},
	{"internal/sheet", "domain", "github.com/xuri/excelize", "adapter: spreadsheets"},
	{"internal/qr", "domain", "github.com/boombuler/barcode", "adapter: QR codes"},
	{"internal/texts", "domain", "github.com/nicksnyder/go-i18n golang.org/x/text", "adapter: words for people"},
	{"internal/credentials", "domain", "github.com/alexedwards/argon2id github.com/jackc/pgx github.com/google/uuid golang.org/x/text", "adapter: passwords"},
	{"internal/breached", "domain/identity", "", "it writes the list of passwords that identity refuses"},
	{"internal/oidc", "domain", "github.com/coreos/go-oidc golang.org/x/oauth2 github.com/jackc/pgx github.com/google/uuid", "adapter: services that vouch for people"},
	{"internal/oidc/oidctest", "", "", "a provider for tests, in a process of its own"},
	{"internal/oidc/standin", "", "github.com/go-jose/go-jose", "a provider for the tour, which has no process of its own for it"},
	{"internal/passkeys", "domain", "github.com/go-webauthn/webauthn github.com/jackc/pgx github.com/google/uuid", "adapter: keys of authenticators"},
	{"internal/passkeys/passkeystest", "", "github.com/descope/virtualwebauthn", "authenticators for tests"},
	{"internal/sessions", "domain", "github.com/jackc/pgx github.com/google/uuid", "adapter: sessions"},
	{"internal/securitylog", "domain", "github.com/jackc/pgx github.com/google/uuid", "adapter: refusals"},
	{"internal/clock", "", "github.com/jackc/pgx", "adapter: the one clock"},
	{"internal/embedpg", "", "github.com/jackc/pgx", "the supervisor knows nothing of the program"},
	{"internal/setup", "internal/embedpg", "", "gets what the supervisor needs"},
	{"internal/pgtest", "internal/embedpg migrations", "github.com/jackc/pgx", "databases for tests"},
	{"internal/peers", "", "github.com/jackc/pgx", "the SQL of other event stores"},
	{"internal/processtest", "", "", "processes that tests kill"},
	{"internal/soak", "", "", "it is tests only"},
	{"internal/bench", "eventstore internal/pgtest internal/embedpg internal/peers migrations", "github.com/jackc/pgx github.com/google/uuid github.com/xuri/excelize", "it measures the log beside others, and the program from outside"},
	{"internal/pgtest/*", "internal/pgtest internal/embedpg", "github.com/jackc/pgx", "one server for all tests"},
	{"internal/trace", "", "", "ties tests to requirements"},
	{"internal/trace/report", "internal/trace", "", "reads what trace wrote"},
	{"internal/archtest", "", "", "this package"},
}

// impure are packages of the standard library that the domain must not know:
// what it decides follows from what it is given.
const impure = "context crypto/rand database/sql log math/rand math/rand/v2 net net/http os os/exec"

// It reads the files itself rather than ask go list: what go list reads, the
// test cache does not see, and a broken rule would pass as (cached).
func TestImports(t *testing.T) {
	for _, f := range source(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.pkg == f.pkg || match(r.pkg, f.pkg) })
		if i < 0 {
			t.Errorf("%s: no rule says what it may import", f.name)
			continue
		}
		r := rules[i]
		for _, spec := range f.ast.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(imported, "/")
			allowed := true
			switch ours, ok := strings.CutPrefix(imported, module+"/"); {
			case ok:
				allowed = r.ours == "*" || match(r.ours, ours)
			case strings.Contains(first, "."):
				allowed = r.theirs == "*" || within(r.theirs, imported)
			case strings.HasPrefix(f.pkg, "domain") && f.pkg != "domain/domaintest":
				allowed = !match(impure, imported)
			}
			if !allowed {
				t.Errorf("%s must not import %s: %s", f.name, imported, r.why)
			}
		}
	}
}

// timeless are the packages that are given the time: decided again, folded
// again or replayed, they must come to the same.
const timeless = "domain domain/* commands projections/*"

func TestOneClock(t *testing.T) {
	for _, f := range source(t) {
		if !match(timeless, f.pkg) || f.pkg == "projections/projectiontest" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && match("Now Since Until Sleep After Tick NewTimer NewTicker", s.Sel.Name) {
				t.Errorf("%s: time.%s: the time is given, by the one clock", f.name, s.Sel.Name)
			}
			return true
		})
	}
}

// Passwords are weak in tests alone.
func TestOnlyTestsKeepWeakPasswords(t *testing.T) {
	for _, f := range source(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "NewWeak" {
				t.Errorf("%s: a password must be hard to find from its hash", f.name)
			}
			return true
		})
	}
}

// A file is one source file outside the tests.
type file struct {
	name, pkg string
	ast       *ast.File
}

// source returns all of them, but for those in the module's root, where there
// is no package of ours.
func source(t *testing.T) (all []file) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		pkg, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil || pkg == "." {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		all = append(all, file{name: name, pkg: filepath.ToSlash(pkg), ast: parsed})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func match(patterns, s string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if ok, _ := path.Match(p, s); ok {
			return true
		}
	}
	return false
}

func within(modules, s string) bool {
	for m := range strings.FieldsSeq(modules) {
		if s == m || strings.HasPrefix(s, m+"/") {
			return true
		}
	}
	return false
}
