// Package httpapi serves the use cases and the read models over HTTP (Latvian:
// HTTP saskarne).
//
// Every route goes through handle, which demands a permission, so that there
// is one list of what can be asked, by whom, and how refusals are told:
//
//	request → limits → who asks → body → use case or query → answer or problem
//
// The document at /openapi.json is made from the routes and is the contract.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"zurnals/commands"
	"zurnals/domain"
	"zurnals/domain/access"
	"zurnals/internal/securitylog"
	"zurnals/internal/sessions"
	"zurnals/projections"
)

// prefix of all routes of the API.
const prefix = "/api/v1"

// An API is what requests are served with.
type API struct {
	Commands *commands.Commands
	Views    *projections.DB
	Engine   *projections.Engine // for operators

	Proofs    Proofs
	Reactions Reactions // nil: nothing follows from events here, and nobody looks after it

	Who      Who
	Learners Learners
	Sessions Sessions
	External External // services that staff may sign in by; none by default
	Passkeys Passkeys
	Security Security
	Now      func() time.Time // the one clock
	Log      *slog.Logger

	PublicURL string         // how people reach the server, without a slash at the end
	Insecure  bool           // cookies without Secure, for plain HTTP on loopback
	Proxies   []netip.Prefix // whose X-Forwarded-For is believed; none by default
	HashKey   []byte         // for keyed hashes of network addresses
	Dev       *Dev           // nil: no development routes

	huma    huma.API
	pages   chi.Router // for what is no part of the API, such as pages
	table   []route
	buckets buckets
	metrics metrics
}

// Who tells as whom and in which role a request acts. *commands.Commands does.
type Who interface {
	Who(ctx context.Context, account domain.AccountID, generation int, wanted domain.AssignmentID) (access.Actor, error)
	Held(ctx context.Context, account domain.AccountID) ([]access.Assignment, error)
}

// Learners tells the same of pupils. *commands.Commands does.
type Learners interface {
	WhoLearner(ctx context.Context, learner domain.LearnerID, generation int) (access.Actor, error)
}

// Sessions keeps who is signed in. *sessions.Store does.
type Sessions interface {
	Create(ctx context.Context, n sessions.Session) (token string, _ sessions.Session, err error)
	Find(ctx context.Context, realm sessions.Realm, token string) (sessions.Session, error)
	List(ctx context.Context, realm sessions.Realm, subject uuid.UUID) ([]sessions.Session, error)
	End(ctx context.Context, realm sessions.Realm, subject uuid.UUID, id domain.SessionID) (bool, error)
	EndAll(ctx context.Context, realm sessions.Realm, subject uuid.UUID, but domain.SessionID) error
}

// Security keeps what was refused. *securitylog.Store does.
type Security interface {
	Record(ctx context.Context, e securitylog.Entry) error
	List(ctx context.Context, q securitylog.Question) ([]securitylog.Entry, error)
	About(ctx context.Context, who uuid.UUID, after securitylog.Mark, until time.Time, limit int) ([]securitylog.Entry, error)
}

// Handler returns everything that is served to the public. It panics if a
// route is declared wrongly: that is a mistake in the program.
func (a *API) Handler() http.Handler { return a.handler(a.routes) }

func (a *API) handler(routes func()) http.Handler {
	if len(a.HashKey) < 16 {
		panic("httpapi: HashKey is missing: hashes of addresses could be reversed")
	}
	humaOnce.Do(setUpHuma)
	a.metrics.init()
	r := chi.NewRouter()
	r.Use(a.begin, secure, a.sameOrigin, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, errNoRoute) })
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		allow(w, r, req.URL.Path)
		a.refuse(w, req, errMethod)
	})

	a.huma, a.pages = humachi.New(r, config()), r
	a.table = nil
	routes()

	r.Get("/healthz", healthy)
	a.documents(r)
	a.devRoutes(r)
	return r
}

// allow names the methods that there are at a path.
func allow(w http.ResponseWriter, r chi.Routes, path string) {
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if r.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
}

// Server returns a server with the time limits that a public one needs.
// Uploads and streamed exports fit into them; header and body of a slow client
// do not hold a connection for ever.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}

var humaOnce sync.Once

// setUpHuma sets what huma keeps in variables of its own.
func setUpHuma() {
	huma.ValidateStrictCasing = true // one field has one name
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return problemOf(nil, status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return problemOf(asked(ctx.Context()), status, msg, errs)
	}
}

func config() huma.Config {
	c := huma.DefaultConfig("Žurnāls", "1")
	c.Info.Description = "The register of a school system, kept as a journal. " +
		"Refusals are application/problem+json; “code” is stable, “title” is in the language asked for (lv, en)."
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", namer())
	c.CreateHooks = nil                                   // no $schema in every body
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // served by documents; huma's page loads scripts from elsewhere
	c.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat, kindCSV: csvFormat}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-zurnals", Description: "a session of staff"},
		"learner": {Type: "apiKey", In: "cookie", Name: "__Host-zurnals-learner", Description: "a session of a pupil"},
		"bearer":  {Type: "http", Scheme: "bearer", Description: "the token of a session, for programs"},
	}
	return c
}

// namer names the types of the document as huma does, but tells those of one
// name apart by a number instead of panicking: types without a name, which
// huma calls Item, and those of different packages.
func namer() func(reflect.Type, string) string {
	names, types := make(map[reflect.Type]string), make(map[string]reflect.Type)
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if name, ok := names[t]; ok {
			return name
		}
		name := huma.DefaultSchemaNamer(t, hint)
		for n := 2; types[name] != nil; n++ {
			name = huma.DefaultSchemaNamer(t, hint) + strconv.Itoa(n)
		}
		names[t], types[name] = name, t
		return name
	}
}
